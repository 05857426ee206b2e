from __future__ import annotations

import gc

import pytest
import torch
from torch import nn

from tierproof.model.costs.live_bytes import LiveTensors, measure_live_bytes
from tierproof.model.costs.optimizer_state import OPTIMIZERS, count_optimizer_state_bytes
from tierproof.model.costs.saved_activations import SavedActivations


def test_inputs_and_parameters_are_not_counted_and_views_once():
    model = nn.Sequential(nn.Linear(4, 8), nn.Tanh(), nn.Linear(8, 2))
    x = torch.zeros(3, 4)
    with SavedActivations(model, [x]) as saved:
        y = model(x)
        z = y.t() @ y  # saves y twice, as itself and as a view
    assert saved.by_module() == {"1": 3 * 8 * 4, "": 3 * 2 * 4}
    assert saved.bytes == 96 + 24
    assert saved.storages == 2
    z.sum().backward()


def test_what_is_dropped_before_the_end_is_not_counted():
    model = nn.Tanh()
    x = torch.zeros(3, requires_grad=True)
    with SavedActivations(model) as saved:
        model(x)
        y = model(x)
        assert saved.bytes == 12
    del y
    assert saved.bytes == 0


def test_outputs_that_save_themselves_are_freed():
    gc.disable()
    try:
        with LiveTensors() as live, SavedActivations(nn.Identity()):
            y = torch.zeros(100, requires_grad=True).exp()
            del y
        assert live.current_bytes == 0
    finally:
        gc.enable()


def test_hooks_are_gone_after_an_error_and_the_stack_stays_right():
    class Failing(nn.Module):
        def forward(self, x):
            raise ValueError

    class Trying(nn.Module):
        def __init__(self):
            super().__init__()
            self.inner = Failing()

        def forward(self, x):
            try:
                self.inner(x)
            except ValueError:
                return x.exp()

    model = Trying()
    with SavedActivations(model) as saved:
        y = model(torch.zeros(2, requires_grad=True))
    assert saved.by_module() == {"": 8}
    assert y.requires_grad
    with pytest.raises(ValueError), SavedActivations(model):
        model.inner(1)
    assert not nn.modules.module._global_forward_hooks
    assert not nn.modules.module._global_forward_pre_hooks


def test_sparse_tensors_are_counted_by_their_parts():
    weight = torch.eye(3).to_sparse()
    with SavedActivations(nn.Identity()) as saved:
        y = torch.sparse.mm(weight, torch.ones(3, 1, requires_grad=True))
    assert saved.bytes == 6 * 8 + 3 * 4
    assert y.requires_grad


def test_peak_and_kept_live_bytes():
    kept = []

    def work():
        a = torch.zeros(1000)
        b = a + 1
        del a
        kept.append(b[:10])
        return torch.zeros(10, device="meta")

    live = measure_live_bytes(work, torch.device("cpu"))
    assert live.peak_bytes == 8000
    assert live.kept_bytes == 4000
    assert live.source == "live tensors"


REAL_OPTIMIZERS = {
    "adamw": torch.optim.AdamW,
    "sgd": torch.optim.SGD,
    "sgd_momentum": lambda parameters: torch.optim.SGD(parameters, momentum=0.9),
}


@pytest.mark.parametrize("name", OPTIMIZERS)
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16, torch.float64, torch.complex64])
def test_optimizer_state_is_that_of_a_real_optimizer(name, dtype):
    model = nn.Sequential(nn.Linear(20, 10, bias=False, dtype=dtype), nn.Linear(10, 1, dtype=dtype))
    model[1].weight.requires_grad_(False)
    model.append(nn.Linear(20, 10, bias=False, dtype=dtype))
    model[2].weight = model[0].weight
    optimizer = REAL_OPTIMIZERS[name]([p for p in model.parameters() if p.requires_grad])
    for parameter in model.parameters():
        parameter.grad = torch.ones_like(parameter) if parameter.requires_grad else None
    optimizer.step()
    states = [value for state in optimizer.state.values() for value in state.values()]
    kept = sum(value.nbytes for value in states if value is not None)
    assert count_optimizer_state_bytes(model, name) == kept


def test_optimizer_state_of_lazy_parameters_and_of_none_is_nothing():
    assert count_optimizer_state_bytes(nn.LazyLinear(3)) == 0
    assert count_optimizer_state_bytes(nn.Identity()) == 0


def test_the_step_is_counted_in_the_default_precision():
    model = nn.Linear(2, 1, bias=False)
    torch.set_default_dtype(torch.float64)
    try:
        assert count_optimizer_state_bytes(model) == 2 * 2 * 4 + 8
    finally:
        torch.set_default_dtype(torch.float32)

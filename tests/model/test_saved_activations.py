from __future__ import annotations

import gc

import pytest
import torch
from torch import nn

from tierproof.model.live_bytes import LiveTensors, measure_live_bytes
from tierproof.model.optimizer_state import measure_optimizer_state_bytes
from tierproof.model.saved_activations import SavedActivations


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


def test_optimizer_state_is_measured_without_memory():
    model = nn.Sequential(nn.Linear(1000, 1000, bias=False), nn.Linear(1000, 1), nn.LazyLinear(3))
    model[1].requires_grad_(False)
    parameters = 1000 * 1000
    live = LiveTensors()
    with live:
        assert measure_optimizer_state_bytes(model, "adamw") == 2 * 4 * parameters + 4
        assert measure_optimizer_state_bytes(model, "sgd") == 0
        assert measure_optimizer_state_bytes(model, "sgd_momentum") == 4 * parameters
    assert live.peak_bytes < 1000
    assert measure_optimizer_state_bytes(nn.Identity()) == 0

from __future__ import annotations

import pytest
import torch
from torch import nn

import tierproof as tp
from tierproof.core.finding import Severity
from tierproof.errors import TierproofError
from tierproof.model.describe.given_precision import widen_inputs, widen_model
from zoo.handwritten import CharGPT

HALVES = [torch.float16, torch.bfloat16]


def snapshot(model):
    tensors = {**dict(model.named_parameters()), **dict(model.named_buffers())}
    return {name: (id(t), t.data_ptr(), t.dtype, t.detach().clone()) for name, t in tensors.items()}


@pytest.mark.parametrize("dtype", HALVES, ids=str)
def test_the_model_comes_back_bit_for_bit(dtype):
    model = CharGPT().to(dtype)
    model(torch.zeros(1, 4, dtype=torch.int64)).float().sum().backward()
    gradients = {name: p.grad for name, p in model.named_parameters()}
    before = snapshot(model)
    tp.check(model, progress=False, only=["T1-GRAD", "T1-MEM", "T1-STAB"])
    after = snapshot(model)
    assert before.keys() == after.keys()
    for name, (identity, address, kind, values) in before.items():
        assert after[name][:3] == (identity, address, kind)
        assert torch.equal(after[name][3], values)
    assert all(p.grad is gradients[name] for name, p in model.named_parameters())


def test_only_half_precision_is_exchanged_and_ties_stay():
    model = CharGPT().to(torch.bfloat16)
    model.token_again = nn.Parameter(model.token.weight.data)  # another object, the same memory
    model.blocks[0].float()
    wide = [p for p in model.parameters() if p.dtype is torch.float32]
    addresses = [p.data_ptr() for p in wide]
    precision = widen_model(model)
    assert precision.dtype is torch.bfloat16
    assert {p.dtype for p in model.parameters()} == {torch.float32}
    assert [p.data_ptr() for p in wide] == addresses
    assert model.token_again.data_ptr() == model.token.weight.data_ptr()
    with precision.as_given():
        assert model.token.weight.dtype is torch.bfloat16
        assert wide[0].dtype is torch.float32
    assert model.token.weight.dtype is torch.float32


def test_parts_of_one_storage_stay_together():
    model = nn.Module()
    whole = torch.randn(8, 4).to(torch.bfloat16)
    model.first, model.second = nn.Parameter(whole[:4]), nn.Parameter(whole[4:])
    assert widen_model(model) is None
    assert model.first.dtype is torch.bfloat16


@pytest.mark.parametrize("dtype", [torch.int8, torch.uint8])
def test_a_quantised_model_is_checked_as_it_is(dtype):
    model = nn.Linear(4, 4).to(torch.float16)
    model.register_buffer("packed", torch.zeros(4, dtype=dtype))
    assert widen_model(model) is None


def test_inputs_of_any_form_are_widened():
    half, whole = torch.ones(2, dtype=torch.float16), torch.ones(2, dtype=torch.int64)
    widened = widen_inputs({"a": half, "b": (whole, [half]), "c": 3})
    assert widened["a"].dtype is torch.float32
    assert widened["b"][0] is whole
    assert widened["b"][1][0].dtype is torch.float32
    assert widened["c"] == 3
    assert widen_inputs(lambda: half)().dtype is torch.float32


class Squares(nn.Module):
    """Leaves the range of float16 on the way, and returns to it."""

    def __init__(self):
        super().__init__()
        self.first, self.last = nn.Linear(8, 8), nn.Linear(8, 8)

    def forward(self, x):
        large = self.first(x) * 1000
        return self.last(x + large * large / (large * large).mean(-1, keepdim=True))


def test_what_overflows_only_in_the_given_precision_is_an_error():
    torch.manual_seed(0)
    inputs = torch.randn(2, 5, 8)
    report = tp.check(Squares().to(torch.float16), inputs=inputs.half(), progress=False, only=["T1-STAB"])
    (found,) = [f for f in report.findings if f.severity is Severity.ERROR]
    assert found.code == "T1-STAB-001"
    assert "In float16" in found.message
    plain = tp.check(Squares(), inputs=inputs, progress=False, only=["T1-STAB"])
    assert [f for f in plain.findings if f.severity is Severity.ERROR] == []


class KeepsFloat32(CharGPT):
    """Raises in half precision, because it makes a float32 tensor of its own."""

    def forward(self, idx):
        return super().forward(idx) @ torch.eye(super().forward(idx).shape[-1])


def test_a_model_that_does_not_run_as_given_is_refused():
    tp.check(KeepsFloat32(), progress=False, only=["T1-SHAPE"])
    with pytest.raises(TierproofError, match="BFloat16"):
        tp.check(KeepsFloat32().to(torch.bfloat16), progress=False)


class InsistsOnHalf(CharGPT):
    """Runs in bfloat16 only."""

    def forward(self, idx):
        out = super().forward(idx)
        return out @ torch.eye(out.shape[-1], dtype=torch.bfloat16)


def test_a_model_that_runs_only_as_given_is_checked_as_given():
    report = tp.check(InsistsOnHalf().to(torch.bfloat16), progress=False, only=["T1-SHAPE"])
    assert report.verdict.value == "pass"
    assert not any("float32" in note for note in report.model.assumptions)


def test_the_report_says_in_which_precision_it_was_checked():
    report = tp.check(CharGPT().to(torch.bfloat16), progress=False, only=["T1-SHAPE"])
    assert any("the weights are bfloat16" in note for note in report.model.assumptions)


class Rotating(CharGPT):
    """Has frequencies that are no part of its state."""

    def __init__(self):
        super().__init__()
        self.register_buffer("frequencies", 1 / 10000 ** (torch.arange(32) / 32), persistent=False)

    def forward(self, idx):
        out = super().forward(idx)
        return out + (torch.arange(out.shape[1])[:, None] * self.frequencies).cos().mean(-1, keepdim=True)


def test_frequencies_that_were_rounded_with_the_model_are_no_lost_state():
    report = tp.check(Rotating().to(torch.bfloat16), progress=False, only=["T1-REG"])
    assert [f for f in report.findings if f.severity is not Severity.INFO] == []

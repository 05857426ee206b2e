"""Models of unusual kinds are judged or refused in a sentence: no check crashes on them."""

from __future__ import annotations

import pytest
import torch
from torch import nn
from torch.utils._pytree import tree_map

import tierproof as tp
from tierproof.model.call.forward_error import ForwardError
from tierproof.model.load.target import TargetError


class Wrapped(nn.Module):
    """A layer whose result goes through a function."""

    def __init__(self, end, **buffers):
        super().__init__()
        self.layer, self.end = nn.Linear(8, 8), end
        for name, value in buffers.items():
            self.register_buffer(name, value)

    def forward(self, x):
        return self.end(self, self.layer(x))


def insist_on_float32(model, x):
    assert model.scale.dtype is torch.float32, "the scale must stay in float32"
    return x * model.scale


def two_heads(model, x):
    return (x, x.tanh()) if model.training else x + x.tanh()


class Mute(Exception):
    def __str__(self):
        raise ValueError("no message")


def raise_mute(model, x):
    raise Mute


def raise_mute_in_training(model, x):
    return raise_mute(model, x) if model.training else x


class Int8(torch.Tensor):
    """Holds integers and a scale for each row, and computes with what they stand for, as weight-only quantisation."""

    @staticmethod
    def __new__(cls, codes, scale):
        return torch.Tensor._make_wrapper_subclass(cls, codes.shape, dtype=scale.dtype, device=codes.device)

    def __init__(self, codes, scale):
        self.codes, self.scale = codes, scale

    def __tensor_flatten__(self):
        return ["codes", "scale"], None

    @classmethod
    def __torch_dispatch__(cls, func, types, args=(), kwargs=None):
        if func in (torch.ops.aten.detach.default, torch.ops.aten.clone.default):
            return cls(args[0].codes.clone(), args[0].scale.clone())

        def read(value):
            return value.codes * value.scale if isinstance(value, cls) else value

        return func(*tree_map(read, args), **tree_map(read, kwargs or {}))


def quantise_weight():
    model = nn.Sequential(nn.Linear(8, 8), nn.ReLU(), nn.Linear(8, 8))
    weight = model[0].weight.detach()
    scale = weight.abs().amax(1, keepdim=True) / 127
    codes = (weight / scale).round().to(torch.int8)
    model[0].weight = nn.Parameter(Int8(codes, scale), requires_grad=False)
    return model


class SmallFloats(nn.Module):
    """An embedding and a layer of one shape, the layer's weight in eight bits and trainable."""

    def __init__(self) -> None:
        super().__init__()
        self.table = nn.Embedding(8, 8)
        self.layer = nn.Linear(8, 8)
        self.layer.weight = nn.Parameter(self.layer.weight.detach().to(torch.float8_e4m3fn))

    def forward(self, x):
        return nn.functional.linear(x @ self.table.weight, self.layer.weight.to(x.dtype), self.layer.bias)


KINDS = {
    "asserts its dtype": lambda: Wrapped(insist_on_float32, scale=torch.ones(8)),
    "vmap inside": lambda: Wrapped(lambda m, x: torch.func.vmap(lambda row: m.layer(row).relu())(x)),
    "sparse output": lambda: Wrapped(lambda _, x: x.to_sparse()),
    "sparse buffer": lambda: Wrapped(lambda m, x: (m.links @ x.t()).t(), links=torch.eye(8).to_sparse()),
    "small floats": lambda: Wrapped(
        lambda m, x: x @ m.codes.to(x.dtype), codes=torch.randn(8, 8).to(torch.float8_e4m3fn)
    ),
    "parameters in small floats": SmallFloats,
    "two heads in training": lambda: Wrapped(two_heads),
    "scripted": lambda: torch.jit.script(nn.Sequential(nn.Linear(8, 8), nn.ReLU(), nn.Linear(8, 8))),
    "traced": lambda: torch.jit.trace(nn.Sequential(nn.Linear(8, 8), nn.ReLU()), torch.randn(4, 8)),
    "scripted inside": lambda: nn.Sequential(torch.jit.script(nn.Linear(8, 8)), nn.ReLU(), nn.Linear(8, 8)),
    "quantised subclass": quantise_weight,
    "mute in training": lambda: Wrapped(raise_mute_in_training),
}


@pytest.mark.parametrize("kind", KINDS)
def test_no_check_crashes_and_none_errs(kind):
    torch.manual_seed(0)
    report = tp.check(KINDS[kind](), inputs=torch.randn(4, 8), progress=False)
    assert [(r.code, r.reason) for r in report.results if r.outcome == "errored"] == []
    assert [f.message for r in report.results for f in r.errors] == []


def test_an_exception_without_a_message_is_told_by_its_class():
    with pytest.raises(ForwardError, match="Mute, whose own message cannot be shown"):
        tp.check(Wrapped(raise_mute), inputs=torch.randn(4, 8), progress=False)


@pytest.mark.skipif(not torch.distributed.is_available(), reason="this torch has no distributed package")
def test_a_model_that_is_spread_over_processes_is_refused():
    from torch.distributed.device_mesh import init_device_mesh
    from torch.distributed.tensor import distribute_module

    torch.distributed.init_process_group("gloo", store=torch.distributed.HashStore(), rank=0, world_size=1)
    try:
        model = distribute_module(nn.Sequential(nn.Linear(8, 8)), init_device_mesh("cpu", (1,)))
        with pytest.raises(TargetError, match=r"Sequential: its parameter `0\.weight` is a DTensor"):
            tp.check(model, inputs=torch.randn(4, 8), progress=False)
    finally:
        torch.distributed.destroy_process_group()


class Renewing(nn.Module):
    """Makes a new parameter of the old one at each call, as some ways of weight normalisation do."""

    def __init__(self):
        super().__init__()
        self.layer, self.head = nn.Linear(8, 8), nn.Linear(8, 8)

    def forward(self, x):
        self.layer.weight = nn.Parameter(self.layer.weight.detach().clone())
        return self.head(torch.tanh(self.layer(x)))


class Renamed(Renewing):
    """Sets the parameter to itself, which changes nothing."""

    def forward(self, x):
        self.layer.weight = self.layer.weight
        return self.head(torch.tanh(self.layer(x)))


@pytest.mark.parametrize(("kind", "codes"), [(Renewing, ["T1-REG-013"]), (Renamed, [])])
def test_parameters_keep_their_identity_across_calls(kind, codes):
    torch.manual_seed(0)
    model = kind()
    before = dict(model.named_parameters())
    report = tp.check(model, inputs=torch.randn(4, 8), progress=False)
    assert [f.code for r in report.results for f in r.errors] == codes
    assert all(parameter is before[name] for name, parameter in model.named_parameters())

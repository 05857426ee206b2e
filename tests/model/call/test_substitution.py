"""Other parameter values reach every place of a tensor, and the model has its own ones back."""

from __future__ import annotations

import torch
from torch import nn

from tierproof.model.call.call import Call
from tierproof.model.call.substitution import convert_call, convert_tensors, run_substituted


class TwoPaths(nn.Module):
    """One layer by two paths, and another that is tied to it."""

    def __init__(self):
        super().__init__()
        self.layer, self.tied = nn.Linear(4, 4), nn.Linear(4, 4)
        self.tied.weight = self.layer.weight
        self.block = nn.Sequential(self.layer, nn.Tanh())

    def forward(self, x):
        return self.tied(self.block(x))


def test_a_module_of_two_paths_is_put_back():
    model, x = TwoPaths(), torch.randn(2, 4)
    before = dict(model.named_parameters(remove_duplicate=False))
    expected = model.double()(x.double()).detach()
    model.float()
    call = Call({"x": x}, "keyword", {}, {})
    found = run_substituted(model, convert_tensors(model, torch.float64), convert_call(call, torch.float64))
    assert torch.allclose(found, expected)
    after = dict(model.named_parameters(remove_duplicate=False))
    assert {name: (id(p), p.dtype) for name, p in after.items()} == {
        name: (id(p), torch.float32) for name, p in before.items()
    }


def test_one_name_replaces_all_places():
    model = TwoPaths()
    call = Call({"x": torch.randn(2, 4)}, "keyword", {}, {})
    still = run_substituted(model, {"block.0.weight": torch.zeros(4, 4)}, call)
    assert torch.equal(still, model.tied.bias.expand(2, 4))


class NamedParameters(nn.Module):
    """A part called as a method of every module."""

    def __init__(self):
        super().__init__()
        self.add_module("layer", nn.Linear(4, 4))
        self._modules["parameters"] = nn.ParameterList([nn.Parameter(torch.ones(4))])

    def forward(self, x):
        return self.layer(x) * self._modules["parameters"][0]


def test_a_part_that_is_called_parameters():
    model = NamedParameters()
    call = Call({"x": torch.randn(2, 4)}, "keyword", {}, {})
    still = run_substituted(model, {"layer.weight": torch.zeros(4, 4)}, call)
    assert torch.equal(still, model.layer.bias.expand(2, 4))

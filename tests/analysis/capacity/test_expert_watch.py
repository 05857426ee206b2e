"""The load of experts is what was routed, in both ways in which experts are written."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from tierproof.analysis.capacity.expert_watch import ExpertWatch
from tierproof.model.observe.execution_trace import ExecutionTrace
from tierproof.model.observe.operation_watch import OperationWatch
from zoo.decoders import Experts

WIDTH = 32


class Fused(nn.Module):
    """All experts in one tensor; every token is multiplied with the chosen one's slice."""

    def __init__(self, experts=4):
        super().__init__()
        self.router = nn.Linear(WIDTH, experts, bias=False)
        self.weights = nn.Parameter(torch.randn(experts, WIDTH, WIDTH) / WIDTH)

    def forward(self, x):
        shares, chosen = self.router(x).softmax(-1).topk(1, dim=-1)
        return shares * torch.einsum("bth,bthw->btw", x, self.weights[chosen[..., 0]])


class Soft(Fused):
    """Every expert gets every token, by its weight."""

    def forward(self, x):
        return torch.einsum("bte,ehw,bth->btw", self.router(x).softmax(-1), self.weights, x)


def watch(model, x):
    experts = ExpertWatch(model)
    with torch.no_grad(), ExecutionTrace(model) as trace:

        class Seen(OperationWatch):
            def after(self, name, args, kwargs, result):
                experts.see(name, args, kwargs, result, trace)

        with experts.watch(), Seen():
            model(x)
    assert experts.failures == []
    (load,) = experts.summarise()
    return load


def compute_entropy(shares):
    return float(-(shares * shares.log()).sum(-1).mean() / torch.tensor(float(shares.shape[-1])).log())


@pytest.mark.parametrize("make", [Experts, Fused, Soft])
def test_shares_and_entropies_are_those_of_the_router(make):
    torch.manual_seed(0)
    model, x = make(), torch.randn(3, 20, WIDTH)
    shares = model.router(x).softmax(-1).detach().double()
    load = watch(model, x)
    if make is Soft:
        expected, choices = shares.mean((0, 1)), 0
    else:
        count = 2 if make is Experts else 1
        chosen = shares.topk(count, -1).indices.flatten()
        expected, choices = torch.bincount(chosen, minlength=4) / len(chosen), len(chosen)
    assert load.shares == pytest.approx(expected.tolist())
    assert load.choices == choices
    assert load.relative_entropy == pytest.approx(compute_entropy(shares), rel=1e-5)
    assert load.load_entropy == pytest.approx(compute_entropy(expected.double()), rel=1e-5)

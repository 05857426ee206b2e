"""The axes of an output are told apart whatever the sizes that a model runs with."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

from tierproof.model.call.input_plan import Argument, InputPlan
from tierproof.model.call.model_probe import ModelProbe
from tierproof.model.call.read_outputs import read_outputs
from tierproof.model.call.spec import ModelSpec


class Decoder(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.table = nn.Embedding(16, 8)

    def forward(self, tokens: Tensor, memory: Tensor | None = None) -> Tensor:
        embedded = self.table(tokens)
        return embedded if memory is None else embedded + memory.mean(1, keepdim=True)


def read_axes(plan: InputPlan) -> tuple[str | int, ...]:
    return read_outputs(ModelProbe(Decoder(), ModelSpec(), torch.device("cpu"), 0), plan).axes


@pytest.mark.parametrize("length", [1, 2, 3, 4, 5, 16])
def test_batch_length_and_target_length_are_told_apart(length: int) -> None:
    tokens = Argument("tokens", "tokens", ("batch", "length"), torch.int64, high=16)
    plan = InputPlan((tokens,), "tokens", "keyword", default_batch=2, default_length=length)
    assert read_axes(plan) == ("batch", "length", 8)
    target = Argument("tokens", "tokens", ("batch", "target_length"), torch.int64, high=16)
    memory = Argument("memory", "floats", ("batch", "length", 8), torch.float32)
    plan = InputPlan((target, memory), "memory", "keyword", default_batch=2, default_length=length)
    assert read_axes(plan) == ("batch", "target_length", 8)

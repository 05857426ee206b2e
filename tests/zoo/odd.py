"""Modules that are odd and sound: other dtypes, side effects, ragged answers, cycles, many parts."""

from __future__ import annotations

import tempfile
from pathlib import Path

import torch
from torch import Tensor, nn

from zoo.handwritten import CharGPT, Mlp


class Bfloat16Only(nn.Module):
    """Refuses every other precision, as some kernels do."""

    def __init__(self) -> None:
        super().__init__()
        self.embed = nn.Embedding(40, 16, dtype=torch.bfloat16)
        self.linear = nn.Linear(16, 16, dtype=torch.bfloat16)
        self.head = nn.Linear(16, 40, dtype=torch.bfloat16)

    def forward(self, idx):
        x = self.embed(idx)
        if x.dtype != torch.bfloat16:
            raise TypeError("this kernel takes bfloat16 alone")
        return self.head(torch.relu(self.linear(x)))


class Doubled(torch.autograd.Function):
    """y = 2 x, with a backward written by hand."""

    @staticmethod
    def forward(ctx, x):
        return x * 2

    @staticmethod
    def backward(ctx, gradient):
        return gradient * 2


class HalfBackward(torch.autograd.Function):
    """y = 2 x, with a backward that forgets the two: no healthy model has it."""

    @staticmethod
    def forward(ctx, x):
        return x * 2

    @staticmethod
    def backward(ctx, gradient):
        return gradient


class HandwrittenFunction(Mlp):
    def forward(self, x):
        return Doubled.apply(super().forward(x))


class InPlace(nn.Module):
    """Writes into its own activations, in ways that autograd allows."""

    def __init__(self) -> None:
        super().__init__()
        self.first = nn.Linear(12, 32)
        self.second = nn.Linear(32, 3)

    def forward(self, x):
        h = self.first(x)
        h.add_(1.0)
        h = nn.functional.relu_(h)
        return self.second(h).mul_(0.5)


class Ragged(nn.Module):
    """A list of tensors, each as long as its row."""

    def __init__(self) -> None:
        super().__init__()
        self.embed = nn.Embedding(30, 16)
        self.head = nn.Linear(16, 30)

    def forward(self, idx):
        logits = self.head(self.embed(idx))
        return [logits[row, : max(1, logits.shape[1] - row)] for row in range(logits.shape[0])]


class NestedAnswer(Ragged):
    """The same as one nested tensor."""

    def forward(self, idx):
        return torch.nested.as_nested_tensor(super().forward(idx))


class SideEffects(CharGPT):
    """Prints, counts, keeps and writes files."""

    def __init__(self) -> None:
        super().__init__()
        self.calls = 0
        self.last: Tensor | None = None
        self.folder = Path(tempfile.mkdtemp())

    def forward(self, idx):
        self.calls += 1
        print("call", self.calls)
        out = super().forward(idx)
        self.last = out.detach()
        (self.folder / "calls.txt").write_text(str(self.calls))
        return out


class CallsItself(nn.Module):
    """A forward that recurs, three levels deep."""

    def __init__(self) -> None:
        super().__init__()
        self.linear = nn.Linear(8, 8)

    def forward(self, x, depth: int = 3):
        x = torch.tanh(self.linear(x))
        return x if depth == 0 else self(x, depth - 1)


class HoldsItself(nn.Module):
    """Contains itself through a plain attribute."""

    def __init__(self) -> None:
        super().__init__()
        self.linear = nn.Linear(8, 8)
        self.parts = [self]

    def forward(self, x):
        return self.parts[0].linear(x)


class RegisteredCycle(nn.Module):
    """A child that has its parent as a registered child: PyTorch's own train() never ends."""

    def __init__(self) -> None:
        super().__init__()
        self.linear = nn.Linear(8, 8)
        self.child = nn.Linear(8, 8)
        self.child.parent = self

    def forward(self, x):
        return self.child(self.linear(x))


class ManyParts(nn.Module):
    """Ten thousand submodules."""

    def __init__(self, count: int = 10_000) -> None:
        super().__init__()
        self.first = nn.Linear(4, 4)
        self.parts = nn.ModuleList(nn.Linear(4, 4) for _ in range(count))

    def forward(self, x):
        x = self.first(x)
        for part in self.parts:
            x = x + 0.01 * part(x)
        return x


def quantised() -> nn.Module:
    """Linear layers in int8, as torch.ao.quantization.quantize_dynamic makes them."""
    return torch.ao.quantization.quantize_dynamic(CharGPT().eval(), {nn.Linear}, dtype=torch.qint8)


ODD = {
    "float64": lambda: CharGPT().double(),
    "bfloat16": Bfloat16Only,
    "quantised": quantised,
    "function": HandwrittenFunction,
    "in_place": InPlace,
    "ragged": Ragged,
    "nested": NestedAnswer,
    "side_effects": SideEffects,
    "calls_itself": CallsItself,
    "holds_itself": HoldsItself,
}


def build_odd(name: str) -> nn.Module:
    """Build one of them with a fixed seed."""
    torch.manual_seed(0)
    return ODD[name]()

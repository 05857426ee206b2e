"""Roll attention out: how much of a position, after some layers, comes from each position of the input.

Each self-attention layer is the mean of its heads plus the residual connection, with rows that sum to one; layers are
multiplied (Abnar & Zuidema 2020, arXiv 2005.00928). Values and feed-forward layers are left aside, so it is a summary
of the attention and no attribution.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property

import torch
from torch import Tensor

from tierproof.analysis.attention.attention_pattern import AttentionPattern
from tierproof.core.json_value import JsonValue

LONGEST = 512
"""Longer sequences are left out: a layer takes a megabyte at this length."""
# Weights in one block of rows: 4 MB in float32.
_BLOCK_NUMBERS = 1 << 20


@dataclass(frozen=True, eq=False)
class AttentionRollout:
    """The self-attention layers of one sequence, for the first row of a call.

    Attributes:
        paths: the modules, in order.
        steps: (mean of the heads + identity) with rows that sum to one, [layers, positions, positions], float32.
        inputs: what the pass ran on, in words.
    """

    paths: tuple[str, ...]
    steps: Tensor
    inputs: str = ""

    @property
    def positions(self) -> int:
        """How long the sequence is."""
        return self.steps.shape[-1]

    @cached_property
    def values(self) -> Tensor:
        """After each layer the share of every input position in every position, [layers, positions, positions].

        Rows sum to one; float32.
        """
        rolled, total = [], torch.eye(self.positions, dtype=torch.float64)
        for step in self.steps:
            total = step.double() @ total
            rolled.append(total.float())
        return torch.stack(rolled)

    def to_dict(self) -> dict[str, JsonValue]:
        """Layers and length, and the last layer's mean share of each input position."""
        return {
            "paths": list(self.paths),
            "positions": self.positions,
            "inputs": self.inputs,
            "mean_share": [float(share) for share in self.values[-1].mean(0)],
        }


@dataclass(frozen=True)
class RolledOut:
    """What could be rolled out.

    Attributes:
        rollouts: one for each length of sequence.
        left_out: what was not, and why.
    """

    rollouts: tuple[AttentionRollout, ...] = ()
    left_out: tuple[str, ...] = ()


@dataclass
class RolloutTrace:
    """Takes the attention operations of a pass one by one.

    Attributes:
        batch: rows of the pass; operations that see windows have more.
        two_sequences: whether the model reads a source and a target. Where no operation then has other keys than
            queries, attention from one to the other cannot be told from attention within one.
    """

    batch: int
    two_sequences: bool = False
    _crossed: bool = False
    _steps: dict[int, list[tuple[str, Tensor]]] = field(default_factory=dict)
    _left_out: dict[str, None] = field(default_factory=dict)

    def add(self, pattern: AttentionPattern) -> None:
        """Add a self-attention operation; others are passed over."""
        size = pattern.queries
        self._crossed = self._crossed or size != pattern.keys
        if size != pattern.keys or size < 2:
            return
        if size > LONGEST:
            self._left_out[f"{size} positions: more than {LONGEST}"] = None
        elif pattern.batch != self.batch:
            self._left_out["attention in windows"] = None
        else:
            self._steps.setdefault(size, []).append((pattern.path, _make_step(pattern)))

    def conclude(self, inputs: str) -> RolledOut:
        """All layers of each length, in the order in which they ran."""
        if self.two_sequences and not self._crossed and self._steps:
            return RolledOut(
                (), (*self._left_out, "source and target of one length, which cannot be told apart")
            )
        return RolledOut(
            tuple(
                AttentionRollout(
                    tuple(path for path, _ in steps), torch.stack([step for _, step in steps]), inputs
                )
                for steps in self._steps.values()
            ),
            tuple(self._left_out),
        )


def _make_step(pattern: AttentionPattern) -> Tensor:
    """The mean of the heads of the first row plus the identity, with rows that sum to one."""
    size = pattern.queries
    step = torch.eye(size, dtype=torch.float64)
    stretch = max(1, _BLOCK_NUMBERS // (pattern.batch * pattern.heads * size))
    for start in range(0, size, stretch):
        rows = slice(start, min(start + stretch, size))
        weights = pattern.read(slice(0, pattern.heads), rows)[0].detach()
        mean = weights.double().mean(0).nan_to_num(0.0).cpu()
        step[rows, : mean.shape[-1]] += mean
    return (step / step.sum(-1, keepdim=True)).float()

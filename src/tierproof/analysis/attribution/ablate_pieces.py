"""Scores by leaving out: how much the target's score falls where one piece is replaced by the baseline."""

from __future__ import annotations

from collections.abc import Callable

import torch

from tierproof.analysis.attribution.path_input import PathInput
from tierproof.analysis.attribution.scored_model import ScoredModel


def ablate_pieces(scored: ScoredModel, *, chunk: int, tell: Callable[[str], None]) -> dict[str, list[float]]:
    """For each argument, score(input) − score(input without the piece), for each of its pieces.

    Tokens keep their place: only the vector that is looked up is replaced, wherever it is looked up.
    """
    at_input, _ = scored.ends
    with torch.no_grad():
        whole = float(scored.score(at_input))
        found = {}
        for argument in dict.fromkeys(each.argument.name for each in scored.inputs):
            count = next(len(e.units.pieces) for e in scored.inputs if e.argument.name == argument)
            losses: list[float] = []
            for start in range(0, count, chunk):
                tell(f"leaving out {start} of {count}")
                numbers = range(start, min(start + chunk, count))
                points = tuple(_leave_out(each, numbers, argument) for each in scored.inputs)
                losses += [whole - float(score) for score in scored.score(points)]
            found[argument] = losses
    return found


def _leave_out(each: PathInput, numbers: range, argument: str) -> torch.Tensor:
    if each.argument.name != argument:
        return torch.stack([each.value] * len(numbers))
    return torch.stack([torch.where(each.numbers == number, each.baseline, each.value) for number in numbers])

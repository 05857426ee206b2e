"""Change one token of the inputs in one row, and see which outputs change with it."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial

import torch
from torch import Tensor

from tierproof.training.audit.batches.batch_tensors import replace_tensors
from tierproof.training.audit.recording.step_record import StepRecord
from tierproof.training.audit.trials.audit_evidence import VisibleTrial
from tierproof.training.audit.trials.step_runner import StepRunner

# Targets that are shifted by so much shorten an output as well.
_MOST_SHIFT = 3
_MOST_TRIALS = 3


def try_visible_tokens(
    runner: StepRunner, quiet: StepRecord, tensors: Mapping[str, Tensor]
) -> tuple[VisibleTrial, ...]:
    """One quiet call for each integer tensor [rows, length] of which an output has a score at each position.

    Args:
        quiet: the unchanged call, with its scores.
        tensors: of the batch.
    """
    lengths = {use.shape[-2] for use in quiet.outputs if len(use.shape) == 3 and use.scores is not None}
    trials: list[VisibleTrial] = []
    for name, tensor in tensors.items():
        if tensor.dim() != 2 or tensor.is_floating_point() or tensor.dtype == torch.bool:
            continue
        if not any(abs(tensor.shape[1] - length) <= _MOST_SHIFT for length in lengths) or tensor.shape[1] < 4:
            continue
        position = tensor.shape[1] // 2
        if len(trials) == _MOST_TRIALS:  # a list of micro-batches has as many tensors of each kind
            break
        if len(torch.unique(tensor)) < 3 or not bool((tensor[:, position] >= 0).any()):
            continue
        row = _choose_row(quiet, tensor, position)
        batch = replace_tensors(runner.batch(0), partial(_change, name, row, position))
        record = runner.attempt(f"another token in {name}", batch, keep_scores=True)
        if record is None:
            continue
        changed = _compare(quiet, record, row)
        if changed:
            trials.append(VisibleTrial(name, row, position, changed))
    return tuple(trials)


def _change(name: str, row: int, position: int, path: str, tensor: Tensor) -> Tensor:
    """Another value that occurs in the tensor, in one row at `position`."""
    if path != name:
        return tensor
    values = torch.unique(tensor[tensor >= 0])
    changed = tensor.clone()
    now = tensor[row, position].contiguous()
    changed[row, position] = values[(torch.searchsorted(values, now) + 1) % len(values)]
    return changed


def _choose_row(quiet: StepRecord, tensor: Tensor, position: int) -> int:
    """A row with a token there: of those with a target there the one with the most targets, as a loop may mask some."""
    rows = (tensor[:, position] >= 0).cpu()
    for use in quiet.outputs:
        if len(use.shape) == 3 and use.shape[0] == len(tensor) and position < use.targets.shape[1]:
            counted = rows & (use.targets[:, position] >= 0)
            if bool(counted.any()):
                return int(((use.targets >= 0).sum(1) * counted).argmax())
    return int(rows.int().argmax())


def _compare(first: StepRecord, second: StepRecord, row: int) -> dict[int, Tensor]:
    """By the output's place, at which positions the row's scores differ. An output of which other rows differ too is
    left out: its first axis is time, or the model mixes rows."""
    changed = {}
    for index, (use, twin) in enumerate(zip(first.outputs, second.outputs, strict=False)):
        if use.path != twin.path or use.scores is None or twin.scores is None:
            continue
        if use.scores.dim() == 3 and use.scores.shape == twin.scores.shape:
            scale = use.scores.abs().amax().clamp(min=1e-12)
            differs = (use.scores - twin.scores).abs().amax(-1) > 1e-5 * scale
            elsewhere = torch.arange(len(differs)) != row
            if row < len(differs) and not bool(differs[elsewhere].any()):
                changed[index] = differs[row]
    return changed

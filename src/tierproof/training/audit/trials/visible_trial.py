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


def try_visible_tokens(
    runner: StepRunner, quiet: StepRecord, tensors: Mapping[str, Tensor]
) -> tuple[VisibleTrial, ...]:
    """One quiet call for each integer tensor [rows, length] of which an output has a score at each position.

    Args:
        quiet: the unchanged call, with its scores.
        tensors: of the batch.
    """
    lengths = {use.shape[-2] for use in quiet.outputs if len(use.shape) == 3 and use.scores is not None}
    trials = []
    for name, tensor in tensors.items():
        if tensor.dim() != 2 or tensor.is_floating_point() or tensor.dtype == torch.bool:
            continue
        if not any(abs(tensor.shape[1] - length) <= 1 for length in lengths) or tensor.shape[1] < 4:
            continue
        position = tensor.shape[1] // 2
        if len(torch.unique(tensor)) < 3 or not bool((tensor[:, position] >= 0).any()):
            continue
        row = int((tensor[:, position] >= 0).int().argmax())
        batch = replace_tensors(runner.batch(0), partial(_change, name, row, position))
        try:
            record = runner.run_quiet(batch, keep_scores=True)
        except Exception as error:  # noqa: BLE001 - noted in the evidence: the step need not take a changed batch
            runner.not_tried.append(f"another token in {name}: the step raised {type(error).__name__}")
            continue
        changed = _compare(quiet, record, row)
        if changed:
            trials.append(VisibleTrial(name, position, changed))
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


def _compare(first: StepRecord, second: StepRecord, row: int) -> dict[str, Tensor]:
    """By path, at which positions the row's scores differ. An output of which other rows differ too is left out: its
    first axis is time, or the model mixes rows."""
    changed = {}
    others = {use.path: use for use in second.outputs}
    for use in first.outputs:
        twin = others.get(use.path)
        if twin is None or use.scores is None or twin.scores is None or use.scores.shape != twin.scores.shape:
            continue
        if use.scores.dim() == 3:
            scale = use.scores.abs().amax().clamp(min=1e-12)
            differs = (use.scores - twin.scores).abs().amax(-1) > 1e-5 * scale
            elsewhere = torch.arange(len(differs)) != row
            if row < len(differs) and not bool(differs[elsewhere].any()):
                changed[use.path] = differs[row]
    return changed

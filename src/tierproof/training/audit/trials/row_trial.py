"""Change the input of one row, then its label, and see which rows of the output and targets change."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial

import torch
from torch import Tensor

from tierproof.training.audit.batches.batch_tensors import replace_tensors
from tierproof.training.audit.recording.step_record import OutputUse, StepRecord
from tierproof.training.audit.trials.audit_evidence import RowTrial
from tierproof.training.audit.trials.step_runner import StepRunner


def try_one_row(
    runner: StepRunner, quiet: StepRecord, tensors: Mapping[str, Tensor], rows: int
) -> RowTrial | None:
    """Two quiet calls, for a classifier; None for a step without labels of rows.

    Args:
        quiet: the unchanged call, with its scores.
        tensors: of the batch.
        rows: of the batch.
    """
    found = _find_labels(quiet, tensors, rows)
    if found is None or not runner.affords(2, "the input and the label of one row"):
        return None
    use, name = found
    labels = tensors[name].flatten()
    row = int((labels != labels[0]).nonzero()[0])
    copied = partial(_copy_row, row, 0, frozenset({name}))
    scores = _run(runner, "the input of one row", partial(copied, False), use)
    targets = _run(runner, "the label of one row", partial(copied, True), use)
    if scores is None or targets is None or scores.scores is None or use.scores is None:
        return None
    change = (scores.scores - use.scores).abs().amax(-1)
    return RowTrial(name, row, change, (targets.targets != use.targets).nonzero().flatten())


def _find_labels(quiet: StepRecord, tensors: Mapping[str, Tensor], rows: int) -> tuple[OutputUse, str] | None:
    """An output whose targets are labels of the batch, in whatever order, and these labels."""
    for use in quiet.outputs:
        whole = len(use.shape) == 2 and use.shape[0] == rows and use.scores is not None
        if not whole or not use.is_cross_entropy or not bool(use.reached.all()):
            continue
        for name, tensor in tensors.items():
            if tensor.is_floating_point() or tensor.dtype == torch.bool or tensor.numel() != rows:
                continue
            labels = tensor.flatten().to(use.targets.device)
            same = bool((labels.sort().values == use.targets.sort().values).all())
            if same and bool((labels != labels[0]).any()):
                return use, name
    return None


def _copy_row(row: int, other: int, names: frozenset[str], inside: bool, path: str, tensor: Tensor) -> Tensor:
    """The values of another row in the place of a row's, in these tensors or in all but these."""
    if (path in names) is not inside or not tensor.dim():
        return tensor
    changed = tensor.clone()
    changed[row] = tensor[other]
    return changed


def _run(runner: StepRunner, what: str, change: partial[Tensor], use: OutputUse) -> OutputUse | None:
    record = runner.attempt(what, replace_tensors(runner.batch(0), change), keep_scores=True)
    if record is None:
        return None
    return next((each for each in record.outputs if each.path == use.path and each.shape == use.shape), None)

"""Tell whether the first axis of a batch is its rows or time, by what another order does to the outputs."""

from __future__ import annotations

from tierproof.training.audit.batches.batch_tensors import replace_tensors
from tierproof.training.audit.recording.step_record import StepRecord
from tierproof.training.audit.trials.audit_evidence import Layout
from tierproof.training.audit.trials.step_runner import StepRunner


def find_layout(runner: StepRunner, quiet: StepRecord, permuted: StepRecord | None) -> Layout:
    """Compare the scores of a quiet call with those of the call whose first axis was rolled by one; where they are
    not the same in that order, roll the second axis in one call more."""
    apart = _is_rolled(quiet, permuted, 0)
    if apart is None:
        return Layout.UNKNOWN
    if apart:
        return Layout.ROWS
    batch = replace_tensors(
        runner.batch(0), lambda _, tensor: tensor.roll(1, 1) if tensor.dim() > 1 else tensor
    )
    columns = runner.attempt("another order of the second axis", batch, keep_scores=True)
    return Layout.TIME if _is_rolled(quiet, columns, 1) else Layout.MIXED


def _is_rolled(first: StepRecord, second: StepRecord | None, axis: int) -> bool | None:
    """Whether every output of the second call is the first one's, rolled along an axis; None without outputs."""
    if second is None:
        return None
    known = False
    for one, two in zip(first.outputs, second.outputs, strict=False):
        if one.scores is None or two.scores is None or one.scores.dim() <= axis:
            continue
        if one.path != two.path or one.scores.shape != two.scores.shape:
            continue
        scale = one.scores.abs().amax().clamp(min=1e-12)
        if bool(((one.scores.roll(1, axis) - two.scores).abs() > 1e-3 * scale).any()):
            return False
        known = True
    return True if known else None

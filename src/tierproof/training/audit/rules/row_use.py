"""Find rows that the loss leaves out, weighs differently, or trains on another row's label."""

from __future__ import annotations

import math
from collections.abc import Iterator

import torch
from torch import Tensor

from tierproof.core.finding import Finding, Severity
from tierproof.training.audit.recording.source_line import SourceLine
from tierproof.training.audit.recording.step_record import OutputUse, StepRecord
from tierproof.training.audit.rules.rule import report_finding
from tierproof.training.audit.trials.audit_evidence import AuditEvidence, Layout

CODE = "T3-TARGET"
_TOLERANCE = 0.02
# A row that changes by less than this share of the most was not given the changed input itself.
_COUPLED = 0.5


def find_row_faults(evidence: AuditEvidence, line: SourceLine | None) -> Iterator[Finding]:
    """Compare a step with the same step on its rows in another order (row i there is row i − 1 here) and doubled."""
    quiet, permuted = evidence.quiet, evidence.permuted
    if quiet is None:
        return
    other_labels = _find_other_labels(evidence, line)
    if other_labels is not None:
        yield other_labels
        return
    if evidence.layout is Layout.TIME:
        return  # what was moved are positions, not rows
    if permuted is not None:
        mixed = evidence.layout is Layout.MIXED
        fault = None if mixed else next(_compare_rows(quiet, permuted, evidence.rows, line), None)
        if fault is not None:
            yield fault
        elif _differs(quiet.minimised, permuted.minimised, 1e-4):
            yield report_finding(
                f"{CODE}-006",
                Severity.WARNING,
                f"The loss depends on the order of the rows: {quiet.minimised:.6g} becomes {permuted.minimised:.6g}.",
                line=line,
                evidence={"loss": quiet.minimised, "loss_after": permuted.minimised},
                hint="Look for sums over the wrong axis, and for rows that are mixed with their neighbours.",
            )
    doubled = evidence.doubled
    if doubled is None or not quiet.minimised or doubled.minimised is None:
        return
    if math.isclose(doubled.minimised, 2 * quiet.minimised, rel_tol=1e-3):
        yield report_finding(
            f"{CODE}-008",
            Severity.INFO,
            "The loss is a sum over the rows: the learning rate that fits depends on the batch size.",
            line=line,
        )


def _differs(first: float | None, second: float | None, tolerance: float) -> bool:
    if first is None or second is None:
        return False
    return not math.isclose(first, second, rel_tol=tolerance, abs_tol=1e-7)


def _compare_rows(
    quiet: StepRecord, permuted: StepRecord, rows: int | None, line: SourceLine | None
) -> Iterator[Finding]:
    """Rows whose use stays at their place in the batch while the data moves on."""
    for use, twin in zip(quiet.outputs, permuted.outputs, strict=False):
        if use.path != twin.path or use.shape != twin.shape or use.shape[0] != rows:
            continue
        reached, reached_after = _per_row(use.reached), _per_row(twin.reached)
        if bool((reached != reached_after.roll(-1)).any()) and bool((reached == reached_after).all()):
            left = (~reached).nonzero().flatten().tolist()
            if left:
                yield report_finding(
                    f"{CODE}-004",
                    Severity.ERROR,
                    f"{len(left)} of {use.shape[0]} rows do not reach the loss: those at {left[:6]}, whichever data "
                    "they hold.",
                    line=line,
                    evidence={"rows": use.shape[0], "left_out": len(left)},
                    hint="Look for an index such as [0], or a mean over a part of the rows.",
                )
                return
        fault = _compare_weights(use, twin, line)
        if fault is not None:
            yield fault
            return


def _per_row(values: Tensor) -> Tensor:
    return values.flatten(1).any(1) if values.dim() > 1 else values


def _compare_weights(use: OutputUse, twin: OutputUse, line: SourceLine | None) -> Finding | None:
    if not (use.is_cross_entropy and twin.is_cross_entropy):
        return None
    first, second = _weigh(use), _weigh(twin)
    if first is None or second is None:
        return None
    scale = float(first.max())
    moved = float((first - second.roll(-1)).abs().max()) / scale
    stayed = float((first - second).abs().max()) / scale
    if moved > _TOLERANCE and stayed <= _TOLERANCE:
        heavy = int(first.argmax())
        return report_finding(
            f"{CODE}-005",
            Severity.ERROR,
            f"The rows do not weigh alike: row {heavy} weighs {scale / float(first.min()):.3g} times as much as row "
            f"{int(first.argmin())}, whichever data they hold.",
            line=line,
            evidence={"weight_ratio": scale / float(first.min())},
            hint="Take one mean over all rows.",
        )
    return None


def _weigh(use: OutputUse) -> Tensor | None:
    """The mean weight of a target in each row; None where a row has none."""
    weights = use.weights.flatten(1) if use.weights.dim() > 1 else use.weights[:, None]
    counted = (weights > 0) & ~weights.isnan()
    if not bool(counted.any(1).all()):
        return None
    return torch.where(counted, weights, 0).sum(1) / counted.sum(1)


def _find_other_labels(evidence: AuditEvidence, line: SourceLine | None) -> Finding | None:
    """Rows of a classifier whose input and label end up in different rows of the output.

    Batch norm lets every row change a little with each: then the one that changed most is taken, as a warning.
    """
    trial = evidence.row
    if trial is None or not bool(trial.score_change.any()) or not len(trial.changed_targets):
        return None
    most = float(trial.score_change.max())
    alone = int((trial.score_change > 0).sum()) == 1
    if float(trial.score_change[trial.changed_targets].max()) > _COUPLED * most:
        return None
    sure = alone and not evidence.drawing
    return report_finding(
        f"{CODE}-009",
        Severity.ERROR if sure else Severity.WARNING,
        f"Rows are trained on the labels of other rows: the input of row {trial.row} acts on row "
        f"{int(trial.score_change.argmax())} of the scores, and its label ({trial.labels or 'in the batch'}) on row "
        f"{int(trial.changed_targets[0])}.",
        line=line,
        evidence={"row": trial.row, "row_of_label": int(trial.changed_targets[0])},
        hint="Shuffle inputs and labels together, with one permutation.",
    )

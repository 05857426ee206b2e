"""Find targets that look like padding where no mask tells."""

from __future__ import annotations

from collections.abc import Iterator

import torch
from torch import Tensor

from tierproof.core.finding import Finding, Severity
from tierproof.training.audit.recording.source_line import SourceLine
from tierproof.training.audit.recording.step_record import OutputUse
from tierproof.training.audit.rules.rule import report_finding
from tierproof.training.audit.trials.audit_evidence import AuditEvidence

# A run of one token so long, at the ends of rows, is not text.
_LEAST_RUN, _LEAST_ROWS = 3, 2


def find_trailing_targets(evidence: AuditEvidence, line: SourceLine | None) -> Iterator[Finding]:
    """A run of one token at the ends of at least two rows, of different lengths, that counts as targets."""
    if evidence.padding is not None:
        return
    for record in (evidence.quiet or evidence.plain[0], *evidence.plain):
        for use in record.outputs:
            if len(use.shape) != 3 or not use.is_cross_entropy or use.targets.shape[1] < 2 * _LEAST_RUN:
                continue
            finding = _judge(use, line)
            if finding is not None:
                yield finding
                return


def _judge(use: OutputUse, line: SourceLine | None) -> Finding | None:
    if not bool((use.targets[:, -1] >= 0).any()):
        return None
    token, runs = _find_runs(use.targets)
    long = runs >= _LEAST_RUN
    if int(long.sum()) < _LEAST_ROWS or not bool((runs != runs[0]).any()):
        return None
    count = int(runs[long].sum())
    return report_finding(
        "T3-TARGET-007",
        Severity.WARNING,
        f"Token {token} ends {int(long.sum())} of {len(runs)} rows in runs of up to {int(runs.max())}, and all "
        f"{count} count as targets: it looks like padding.",
        line=line,
        evidence={"token": token, "targets": count},
        hint="Set the labels at padding to -100 (ignore_index).",
    )


def _find_runs(targets: Tensor) -> tuple[int, Tensor]:
    """The commonest last target (of the rows that have one), and how long its run is at the end of each row."""
    last = targets[:, -1]
    token = int(last[last >= 0].mode().values)
    same = (targets == token).flip(1)
    runs = torch.cumprod(same.int(), 1).sum(1)
    return token, runs

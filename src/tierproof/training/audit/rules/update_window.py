"""The calls of a step that lead to one update."""

from __future__ import annotations

from dataclasses import dataclass

from tierproof.training.audit.recording.source_line import SourceLine
from tierproof.training.audit.recording.step_event import EventKind, StepEvent
from tierproof.training.audit.recording.step_record import BackwardRecord, OutputUse, StepRecord, UpdateRecord
from tierproof.training.audit.trials.audit_evidence import AuditEvidence


@dataclass(frozen=True)
class WindowEvent:
    """An event, and the call in which it happened."""

    call: int
    event: StepEvent


@dataclass(frozen=True)
class UpdateWindow:
    """What happened from the end of one update to the end of the next.

    Attributes:
        records: the calls that it lies in.
        events: in order.
        backwards, outputs: of these calls.
        updates: one for each optimizer that stepped at its end.
    """

    records: tuple[StepRecord, ...]
    events: tuple[WindowEvent, ...]
    backwards: tuple[BackwardRecord, ...]
    outputs: tuple[OutputUse, ...]
    updates: tuple[UpdateRecord, ...]

    def list_events(self, *kinds: EventKind) -> tuple[WindowEvent, ...]:
        """The events of these kinds, in order."""
        return tuple(each for each in self.events if each.event.kind in kinds)

    def find_last_line(self, *kinds: EventKind) -> SourceLine | None:
        """The line of the last event of the first of these kinds that has one."""
        for kind in kinds:
            lines = [each.event.line for each in self.list_events(kind) if each.event.line is not None]
            if lines:
                return lines[-1]
        return None


def list_windows(evidence: AuditEvidence) -> tuple[UpdateWindow, ...]:
    """The windows of the consecutive calls; calls after the last update are left out.

    A window ends with the call in which an optimizer steps, so that what follows the update in that call (zeroing,
    scheduling) still belongs to it.
    """
    windows = []
    open_records: list[StepRecord] = []
    for record in evidence.plain:
        open_records.append(record)
        if record.updates:
            windows.append(_join(tuple(open_records)))
            open_records = []
    return tuple(windows)


def _join(records: tuple[StepRecord, ...]) -> UpdateWindow:
    return UpdateWindow(
        records,
        tuple(WindowEvent(i, event) for i, record in enumerate(records) for event in record.events),
        tuple(each for record in records for each in record.backwards),
        tuple(each for record in records for each in record.outputs),
        tuple(each for record in records for each in record.updates),
    )

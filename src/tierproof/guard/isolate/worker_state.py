"""The state of an isolated worker: its own packages, whether it runs, and its last call."""

from __future__ import annotations

from dataclasses import asdict, dataclass

from tierproof.core.json_value import JsonValue
from tierproof.core.plain_html import show_plainly
from tierproof.core.plain_text import clean_text
from tierproof.guard.isolate.worker import CallRecord
from tierproof.guard.judge.plan import Conflict, Plan

FORMAT_VERSION = 1


@dataclass(frozen=True, slots=True)
class WorkerState:
    """A worker at one moment.

    Attributes:
        plan: its `add` lists the worker's own packages, which come before those of the base.
        unhappy: bounds of base packages that are not met in the worker.
        layer: folder of the worker's own packages; empty if it needs none.
        layer_made: whether it was fetched for this worker.
        pid: number of the running process; 0 if none runs.
        calls: number of calls answered so far.
        last_call: its time and data volume; None before the first call.
    """

    plan: Plan
    unhappy: tuple[Conflict, ...] = ()
    layer: str = ""
    layer_made: bool = False
    pid: int = 0
    calls: int = 0
    last_call: CallRecord | None = None

    def to_dict(self) -> dict[str, JsonValue]:
        """Return the state as JSON."""
        return {
            "format_version": FORMAT_VERSION,
            "requested": list(self.plan.requested),
            "plan": self.plan.to_dict(),
            "unhappy": [item.to_dict() for item in self.unhappy],
            "layer": self.layer,
            "layer_made": self.layer_made,
            "pid": self.pid,
            "calls": self.calls,
            "last_call": None if self.last_call is None else asdict(self.last_call),
        }

    def describe(self) -> str:
        """Return the state as plain text of a few lines."""
        running = f"process {self.pid}" if self.pid else "no process running"
        lines = [f"isolated worker for {', '.join(self.plan.requested)}: {running}, {self.calls} calls"]
        lines += [f"  + {item.name} {item.version}" for item in self.plan.add]
        lines += [
            f"  ! {item.required_by} needs {item.package} {item.required}; the worker has {item.installed}"
            for item in self.unhappy
        ]
        if self.last_call is not None:
            call = self.last_call
            way = "the process was already running" if call.reused else "a new process was started"
            lines.append(
                f"  last call: {call.seconds:.2f} s, {call.sent_bytes / 1e6:.1f} MB sent, "
                f"{call.received_bytes / 1e6:.1f} MB received, copies of array data each way: {call.copies}; {way}"
            )
        return clean_text("\n".join(lines))

    def _repr_html_(self) -> str:
        return show_plainly(self.describe())

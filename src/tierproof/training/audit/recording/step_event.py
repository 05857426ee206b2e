"""One thing that a training step did."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from tierproof.training.audit.recording.source_line import SourceLine


class EventKind(StrEnum):
    """What was done."""

    FORWARD = "forward"
    LOSS = "loss"
    BACKWARD = "backward"
    UNSCALE = "unscale"
    CLIP = "clip"
    UPDATE = "update"
    ZERO_GRAD = "zero_grad"
    SCHEDULE = "schedule"
    SCALER_STEP = "scaler step"
    SCALER_UPDATE = "scaler update"


@dataclass(frozen=True, slots=True)
class StepEvent:
    """One call, in order.

    Attributes:
        kind: what was done.
        order: its place in the step, from 0.
        line: the line of the user's code that made the call; None where it cannot be named.
        part: the index of the optimizer or scheduler, -1 where it is none of those that were found.
        values: figures of the call. FORWARD: training, grad, rows. LOSS: as `describe_loss_call` gives them, and inside
            (of the model's forward pass). BACKWARD: value, has_graph. CLIP: most (the bound), norm (before it), covered
            (that of the parameters it was given). UPDATE: nothing else. SCHEDULE: rate_before, rate_after. UNSCALE,
            SCALER_*: enabled.
    """

    kind: EventKind
    order: int
    line: SourceLine | None
    part: int = -1
    values: Mapping[str, float] = field(default_factory=dict)

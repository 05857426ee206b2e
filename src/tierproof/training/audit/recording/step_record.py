"""Everything that was recorded of one call of the user's step."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field

from torch import Tensor

from tierproof.training.audit.recording.fingerprint import Fingerprint
from tierproof.training.audit.recording.source_line import SourceLine
from tierproof.training.audit.recording.step_event import EventKind, StepEvent

Fingerprints = Mapping[str, Fingerprint | None]


@dataclass(frozen=True, slots=True)
class BackwardRecord:
    """One backward pass.

    Attributes:
        event: its event's order.
        value: of the tensor that it was called on.
        before: gradients by parameter path right before it; None where a parameter had none.
        after: the same right after it.
    """

    event: int
    value: float
    before: Fingerprints
    after: Fingerprints


@dataclass(frozen=True, slots=True)
class UpdateRecord:
    """One step of one optimizer.

    Attributes:
        event: its event's order.
        optimizer: its index.
        gradients: by parameter path, as the optimizer got them.
        before: the model's parameters before.
        after: and after.
        rates: learning rate of each group.
    """

    event: int
    optimizer: int
    gradients: Fingerprints
    before: Fingerprints
    after: Fingerprints
    rates: tuple[float, ...]


@dataclass(frozen=True)
class OutputUse:
    """What the loss made of one floating output of the model's forward pass, read off its gradient.

    The gradient of cross-entropy by the scores is w · (softmax − one-hot): the only negative entry is at the target.

    Attributes:
        forward: the order of the FORWARD event.
        path: of the output, such as `logits` or `0`; empty for a bare tensor.
        shape: of the output, the scores in the last axis.
        targets: (the shape without its last axis) index of the negative entry, -1 where the gradient is zero and
            -2 where it is not that of a cross-entropy.
        weights: (the same shape) how much each place weighs in the loss; 0 where its gradient is zero.
        reached: (the same shape) whether its gradient is not zero.
        scores: the output itself, where it was asked for.
    """

    forward: int
    path: str
    shape: tuple[int, ...]
    targets: Tensor
    weights: Tensor
    reached: Tensor
    scores: Tensor | None = None

    @property
    def is_cross_entropy(self) -> bool:
        """Whether every place that the loss reaches has the gradient of a cross-entropy."""
        return bool(self.reached.any()) and not bool((self.targets == -2).any())


@dataclass(frozen=True, slots=True)
class ForwardRecord:
    """One forward pass of the model inside the step.

    Attributes:
        event: its event's order.
        training: the model's mode.
        with_gradient: whether autograd was on.
        dropout_on: how many dropout layers with p > 0 were in training mode when they ran.
        dropout_off: how many were not.
        batch_norms_off: how many batch norms that keep statistics were not in training mode when they ran.
        modules_run: paths of the modules that ran.
        modules_without_gradient: of those, the ones that ran while autograd was off.
        reached: whether a backward pass reached one of its outputs; None where it returned nothing differentiable.
    """

    event: int
    training: bool
    with_gradient: bool
    dropout_on: int
    dropout_off: int
    modules_run: frozenset[str]
    modules_without_gradient: frozenset[str]
    reached: bool | None = None
    batch_norms_off: int = 0


@dataclass(frozen=True)
class StepRecord:
    """One call of the step.

    Attributes:
        events: in order.
        reported: the loss that it returned; None where it returned none.
        forwards, outputs, backwards, updates: see their types.
        parameters: the model's parameters after the call.
        buffers: its buffers after the call.
        averages: averaged weights after the call, by average and path.
        clips: total norm of the gradients right before and right after each CLIP event, by its order.
        seconds: wall time of the call.
        data_seconds: of that, what went by before the first forward pass.
        live_graphs: tensors with a graph behind them that are alive after the call; 0 where they were not counted, as
            in trials.
        live_nodes: nodes of these graphs.
        live_bytes: of the storages of all live tensors.
        frozen: paths of the parameters that require no gradient after the call.
    """

    events: tuple[StepEvent, ...]
    reported: float | None
    forwards: tuple[ForwardRecord, ...]
    outputs: tuple[OutputUse, ...]
    backwards: tuple[BackwardRecord, ...]
    updates: tuple[UpdateRecord, ...]
    parameters: Fingerprints
    buffers: Fingerprints
    averages: tuple[Fingerprints, ...] = ()
    clips: Mapping[int, tuple[float, float]] = field(default_factory=dict)
    seconds: float = 0.0
    data_seconds: float = 0.0
    live_graphs: int = 0
    live_nodes: int = 0
    live_bytes: int = 0
    frozen: frozenset[str] = frozenset()

    @property
    def minimised(self) -> float | None:
        """What backward ran on: the sum of its values without a loss scale; where that is unknown, what the step
        returned. A step may return an accuracy, a mean of its run, or nothing at all."""
        values = [each.value for each in self.backwards]
        if not values or not all(map(math.isfinite, values)):
            return self.reported
        scales = [each.values["scale"] for each in self.events if each.kind is EventKind.SCALER_STEP]
        return sum(values) / (scales[-1] if scales else 1.0)

    def list_events(self, *kinds: EventKind) -> tuple[StepEvent, ...]:
        """The events of these kinds, in order."""
        return tuple(event for event in self.events if event.kind in kinds)

    def find_line(self, *kinds: EventKind) -> SourceLine | None:
        """The line of the first event of the first of these kinds that has one."""
        for kind in kinds:
            for event in self.list_events(kind):
                if event.line is not None:
                    return event.line
        return None

    def find_loss_line(self) -> SourceLine | None:
        """Where the step computes its loss: by a call of its own, or by calling a model that has its loss inside."""
        for event in self.list_events(EventKind.LOSS):
            if event.line is not None and not event.values["inside"]:
                return event.line
        return self.find_line(EventKind.FORWARD, EventKind.LOSS, EventKind.BACKWARD)

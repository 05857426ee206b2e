"""Run one training step of the user's and record what it does."""

from __future__ import annotations

import math
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from types import FrameType
from typing import Any

import torch
from torch import Tensor
from torch.nn.modules import module as nn_module
from torch.optim import optimizer as torch_optimizer

from tierproof.training.audit.parts.audit_error import AuditError
from tierproof.training.audit.parts.training_parts import TrainingParts
from tierproof.training.audit.recording.call_watch import CallWatch, Handler
from tierproof.training.audit.recording.fingerprint import take_fingerprints
from tierproof.training.audit.recording.forward_passes import ForwardPasses
from tierproof.training.audit.recording.live_tensors import LiveTensors, count_live_tensors
from tierproof.training.audit.recording.loss_calls import LOSS_FUNCTIONS, describe_loss_call
from tierproof.training.audit.recording.source_line import SourceLine, find_source_line, leave_file
from tierproof.training.audit.recording.step_event import EventKind, StepEvent
from tierproof.training.audit.recording.step_record import (
    BackwardRecord,
    Fingerprints,
    StepRecord,
    UpdateRecord,
)

_BACKWARDS = frozenset({torch.Tensor.backward.__code__, torch.autograd.backward.__code__})
_CLIPS = frozenset({"clip_grad_norm_", "clip_grad_value_"})


def record_initial(parts: TrainingParts) -> StepRecord:
    """The present state as a record of a step in which nothing happened."""
    return _Recorder(parts).conclude(None, 0.0, 0.0, LiveTensors())


def record_step(
    step: Callable[[Any], Any],
    batch: Any,
    parts: TrainingParts,
    *,
    keep_scores: bool = False,
    count_live: bool = False,
) -> StepRecord:
    """Call `step(batch)` once and record it.

    Args:
        step: one whole training step, or one of the calls that make one up.
        batch: its argument.
        parts: what it trains.
        keep_scores: keep the scores that the model returned.
        count_live: count the tensors that are alive afterwards, which takes a collection of garbage.

    Raises:
        Exception: whatever the step raises; and what reading it raised, after the step.
    """
    recorder = _Recorder(parts, keep_scores)
    with recorder.watching():
        started = time.perf_counter()
        reported = _read_loss(step(batch))
        seconds = time.perf_counter() - started
    live = count_live_tensors() if count_live else LiveTensors()
    return recorder.conclude(reported, started, seconds, live)


def _read_loss(result: Any) -> float | None:
    """The number in what a step returned: a number, a tensor of one element, or the `loss` or first of several."""
    if isinstance(result, Tensor):
        return float(result.detach()) if result.numel() == 1 else None
    if isinstance(result, int | float) and not isinstance(result, bool):
        return float(result)
    if isinstance(result, Mapping):
        return next((_read_loss(result[key]) for key in ("loss", "train_loss") if key in result), None)
    if isinstance(result, tuple | list) and result:
        return _read_loss(result[0])
    item = getattr(result, "item", None)
    return float(item()) if callable(item) and getattr(result, "size", 1) == 1 else None


@dataclass
class _OpenUpdate:
    event: int
    gradients: Fingerprints
    before: Fingerprints


class _Recorder:
    """Collects what one call of the step does; used once."""

    def __init__(self, parts: TrainingParts, keep_scores: bool = False) -> None:
        self._parts = parts
        self._passes = ForwardPasses(parts.model, self._note_forward, keep_scores)
        self._events: list[StepEvent] = []
        self._backwards: list[BackwardRecord] = []
        self._in_backward: dict[int, Fingerprints] = {}
        self._updates: list[UpdateRecord] = []
        self._in_update: dict[int, _OpenUpdate] = {}
        self._clips: dict[int, tuple[float, float]] = {}
        self._in_clip: dict[int, int] = {}
        self._in_schedule: list[tuple[int, int]] = []

    @contextmanager
    def watching(self) -> Iterator[None]:
        """Inside the `with`, calls are recorded; what reading them raised is raised at its end."""
        entered: dict[str, Handler] = {
            "forward": self._passes.enter_frame,
            "backward": self._enter_backward,
            "unscale_": self._note_scaler,
            "step": self._enter_step,
            "step_update": self._enter_step,
            "update": self._note_scaler,
            "zero_grad": self._note_zero_grad,
            **dict.fromkeys(LOSS_FUNCTIONS, self._note_loss),
            **dict.fromkeys(_CLIPS, self._enter_clip),
        }
        left: dict[str, Handler] = {
            "forward": self._passes.leave_frame,
            "backward": self._leave_backward,
            "step": self._leave_step,
            "step_update": self._leave_step,
            **dict.fromkeys(_CLIPS, self._leave_clip),
        }
        watch = CallWatch(entered, left)
        with ExitStack() as stack:
            for handle in (
                nn_module.register_module_forward_pre_hook(self._passes.enter_module),
                nn_module.register_module_forward_hook(self._passes.leave_module),
                torch_optimizer.register_optimizer_step_pre_hook(self._enter_update),
                torch_optimizer.register_optimizer_step_post_hook(self._leave_update),
            ):
                stack.callback(handle.remove)
            stack.enter_context(watch)
            yield
        if watch.failure is not None:
            raise watch.failure

    def conclude(
        self, reported: float | None, started: float, seconds: float, live: LiveTensors
    ) -> StepRecord:
        """What was recorded."""
        model = self._parts.model
        return StepRecord(
            events=tuple(self._events),
            reported=reported,
            forwards=self._passes.list_passes(),
            outputs=tuple(self._passes.outputs),
            backwards=tuple(self._backwards),
            updates=tuple(self._updates),
            parameters=self._take_parameters(),
            buffers=take_fingerprints(model.named_buffers()),
            averages=tuple(take_fingerprints(each.read().items()) for each in self._parts.averages),
            clips=self._clips,
            seconds=seconds,
            data_seconds=max(0.0, self._passes.first_s - started),
            live_graphs=live.graphs,
            live_nodes=live.nodes,
            live_bytes=live.bytes,
            frozen=frozenset(p for p, each in model.named_parameters() if not each.requires_grad),
        )

    def _add(self, kind: EventKind, line: SourceLine | None, part: int = -1, **values: float) -> int:
        self._events.append(StepEvent(kind, len(self._events), line, part, values))
        return len(self._events) - 1

    def _amend(self, order: int, **values: float) -> None:
        event = self._events[order]
        self._events[order] = replace(event, values={**event.values, **values})

    def _take_parameters(self) -> Fingerprints:
        return take_fingerprints(self._parts.model.named_parameters())

    def _take_gradients(self) -> Fingerprints:
        return take_fingerprints((path, each.grad) for path, each in self._parts.model.named_parameters())

    # Forward passes.

    def _note_forward(self, line: SourceLine | None, training: bool, gradient: bool) -> int:
        return self._add(EventKind.FORWARD, line, training=float(training), grad=float(gradient))

    # Losses and backward passes.

    def _note_loss(self, frame: FrameType, _: Any) -> None:
        values = describe_loss_call(frame)
        if values is not None:
            inside = float(self._passes.is_inside)
            self._add(EventKind.LOSS, find_source_line(frame.f_back), -1, inside=inside, **values)

    def _enter_backward(self, frame: FrameType, _: Any) -> None:
        if frame.f_code not in _BACKWARDS:
            return
        if self._in_backward:
            return  # Tensor.backward calls torch.autograd.backward, and itself again under a mode
        known = frame.f_locals
        roots = known["self"] if "self" in known else known["tensors"]
        root = roots if isinstance(roots, Tensor) else next(iter(roots), None)
        single = isinstance(root, Tensor) and root.numel() == 1
        value = float(root.detach()) if single and root is not None else math.nan
        self._add(EventKind.BACKWARD, find_source_line(frame.f_back), value=value)
        self._in_backward[id(frame)] = self._take_gradients()

    def _leave_backward(self, frame: FrameType, _: Any) -> None:
        before = self._in_backward.pop(id(frame), None)
        if before is None:
            return
        event = next(each for each in reversed(self._events) if each.kind is EventKind.BACKWARD)
        self._backwards.append(
            BackwardRecord(event.order, event.values["value"], before, self._take_gradients())
        )

    # What happens to gradients before they are used.

    def _note_zero_grad(self, frame: FrameType, _: Any) -> None:
        owner = frame.f_locals.get("self")
        if isinstance(owner, torch.optim.Optimizer):
            self._add(EventKind.ZERO_GRAD, find_source_line(frame.f_back), self._find_optimizer(owner))
        elif owner is self._parts.model:
            self._add(EventKind.ZERO_GRAD, find_source_line(frame.f_back))

    def _enter_clip(self, frame: FrameType, _: Any) -> None:
        if not frame.f_code.co_filename.endswith("clip_grad.py"):
            return
        known = frame.f_locals
        most = known.get("max_norm", known.get("clip_value"))
        by_norm = "max_norm" in known
        norm = _join_norms(self._take_gradients())
        line = find_source_line(frame.f_back)
        order = self._add(EventKind.CLIP, line, most=float(most or 0.0), norm=norm, by_norm=float(by_norm))
        self._in_clip[id(frame)] = order

    def _leave_clip(self, frame: FrameType, result: Any) -> None:
        order = self._in_clip.pop(id(frame), None)
        if order is not None:
            norm = self._events[order].values["norm"]
            self._clips[order] = (norm, _join_norms(self._take_gradients()))
            if (
                isinstance(result, Tensor) and result.numel() == 1
            ):  # the norm of the parameters that were passed
                self._amend(order, covered=float(result.detach()))

    def _note_scaler(self, frame: FrameType, _: Any) -> None:
        if not frame.f_code.co_filename.endswith("grad_scaler.py"):
            return
        kind = EventKind.UNSCALE if frame.f_code.co_name == "unscale_" else EventKind.SCALER_UPDATE
        line = find_source_line(frame.f_back)
        if kind is EventKind.UNSCALE and line is not None and self._is_inside_scaler(frame):
            return
        self._add(kind, line, -1, **_describe_scaler(frame))

    @staticmethod
    def _is_inside_scaler(frame: FrameType) -> bool:
        """Whether the scaler calls itself, as its `step` does."""
        caller = frame.f_back
        return caller is not None and caller.f_code.co_filename.endswith("grad_scaler.py")

    # Updates and schedules.

    def _enter_step(self, frame: FrameType, _: Any) -> None:
        owner = frame.f_locals.get("self")
        if frame.f_code.co_filename.endswith("grad_scaler.py"):
            self._add(EventKind.SCALER_STEP, find_source_line(frame.f_back), -1, **_describe_scaler(frame))
            return
        index = next((i for i, each in enumerate(self._parts.schedulers) if each is owner), -1)
        if index < 0 or self._in_schedule:
            return
        order = self._add(
            EventKind.SCHEDULE, find_source_line(frame.f_back), index, rate_before=self._read_rate()
        )
        self._in_schedule.append((id(frame), order))

    def _leave_step(self, frame: FrameType, _: Any) -> None:
        if self._in_schedule and self._in_schedule[-1][0] == id(frame):
            _, order = self._in_schedule.pop()
            self._amend(order, rate_after=self._read_rate())

    def _read_rate(self) -> float:
        return next(
            (float(group["lr"]) for each in self._parts.optimizers for group in each.param_groups), math.nan
        )

    def _find_optimizer(self, optimizer: object) -> int:
        return next((i for i, each in enumerate(self._parts.optimizers) if each is optimizer), -1)

    def _enter_update(self, optimizer: Any, args: Any, kwargs: Any) -> None:  # noqa: ARG002 - the hook's signature
        index = self._find_optimizer(optimizer)
        if index < 0:
            self._refuse_unknown(optimizer)
            return
        line = find_source_line(leave_file(sys._getframe(1), __file__))
        event = self._add(EventKind.UPDATE, line, index)
        self._in_update[index] = _OpenUpdate(event, self._take_gradients(), self._take_parameters())

    def _refuse_unknown(self, optimizer: Any) -> None:
        """An optimizer of this model that was not found could not be put back."""
        own = {id(each) for each in self._parts.model.parameters()}
        if any(id(each) in own for group in optimizer.param_groups for each in group["params"]):
            raise AuditError(
                f"the step uses an optimizer ({type(optimizer).__name__}) that was not found in what it reaches",
                hint="Pass it: tp.audit(step, batches, optimizer=...); a list of all of them where there are several.",
            )

    def _leave_update(self, optimizer: Any, args: Any, kwargs: Any) -> None:  # noqa: ARG002 - the hook's signature
        opened = self._in_update.pop(self._find_optimizer(optimizer), None)
        if opened is None:
            return
        groups = optimizer.param_groups
        self._updates.append(
            UpdateRecord(
                opened.event,
                self._find_optimizer(optimizer),
                opened.gradients,
                opened.before,
                self._take_parameters(),
                tuple(float(group["lr"]) for group in groups),
            )
        )


def _join_norms(prints: Fingerprints) -> float:
    return math.sqrt(sum(each.norm**2 for each in prints.values() if each is not None))


def _describe_scaler(frame: FrameType) -> dict[str, float]:
    scaler = frame.f_locals.get("self")
    enabled = bool(getattr(scaler, "_enabled", False))
    scale = getattr(scaler, "_scale", None)
    return {"enabled": float(enabled), "scale": float(scale) if isinstance(scale, Tensor) else 1.0}

"""Record the forward passes of the model inside a step, and what the loss makes of their outputs."""

from __future__ import annotations

import dataclasses
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from functools import partial
from types import FrameType
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm
from torch.nn.modules.dropout import _DropoutNd

from tierproof.training.audit.recording.live_tensors import mark_as_own
from tierproof.training.audit.recording.output_use import list_outputs, read_output_use
from tierproof.training.audit.recording.source_line import SourceLine, find_source_line, leave_file
from tierproof.training.audit.recording.step_record import ForwardRecord, OutputUse

NoteForward = Callable[[SourceLine | None, bool, bool], int]


@dataclass
class _OpenForward:
    event: int
    training: bool
    with_gradient: bool
    modules: set[str]
    without_gradient: set[str]
    dropout_on: int = 0
    dropout_off: int = 0
    batch_norms_off: int = 0
    frame: int = 0


class ForwardPasses:
    """Sees the model's forward passes: through hooks of its modules, and where `model.forward(...)` is called past
    the hooks, through the frames of `forward`.

    Attributes:
        outputs: what the losses made of the outputs, in the order of their gradients.
        first_s: `time.perf_counter()` as the first pass began; 0 where none did.
    """

    def __init__(self, model: nn.Module, note: NoteForward, keep_scores: bool) -> None:
        """`note(line, training, with_gradient)` adds an event and returns its order."""
        self._model = model
        self._note = note
        self._keep_scores = keep_scores
        self._paths = {id(module): path for path, module in model.named_modules()}
        self._open: _OpenForward | None = None
        self._closed: list[ForwardRecord] = []
        self._reached: set[int] = set()
        self.outputs: list[OutputUse] = []
        self.first_s = 0.0

    @property
    def is_inside(self) -> bool:
        """Whether a pass has begun and not ended."""
        return self._open is not None

    def list_passes(self) -> tuple[ForwardRecord, ...]:
        """The passes that ended, in order."""
        return tuple(
            each if each.reached is None else replace(each, reached=each.event in self._reached)
            for each in self._closed
        )

    def enter_module(self, module: nn.Module, args: Any) -> None:  # noqa: ARG002 - the hook's signature
        """A hook before each module's forward."""
        path = self._paths.get(id(module))
        if path is None:
            return
        gradient = torch.is_grad_enabled()
        if module is self._model and self._open is None:
            self._begin(leave_file(sys._getframe(1), __file__))
        if self._open is None:
            return
        self._open.modules.add(path)
        if not gradient:
            self._open.without_gradient.add(path)
        if isinstance(module, _DropoutNd) and module.p > 0:
            self._open.dropout_on += module.training
            self._open.dropout_off += not module.training
        elif isinstance(module, _BatchNorm) and module.track_running_stats:
            self._open.batch_norms_off += not module.training

    def leave_module(self, module: nn.Module, args: Any, output: Any) -> None:  # noqa: ARG002 - the hook's signature
        """A hook after each module's forward."""
        if module is self._model and self._open is not None and not self._open.frame:
            self._end(output)

    def enter_frame(self, frame: FrameType, _: Any) -> None:
        """As a function named `forward` begins."""
        if self._open is None and frame.f_locals.get("self") is self._model:
            opened = self._begin(frame.f_back)
            opened.frame = id(frame)
            opened.modules.add("")

    def leave_frame(self, frame: FrameType, result: Any) -> None:
        """As a function named `forward` returns."""
        if self._open is not None and self._open.frame == id(frame):
            self._end(result)

    def _begin(self, caller: FrameType | None) -> _OpenForward:
        self.first_s = self.first_s or time.perf_counter()
        gradient = torch.is_grad_enabled()
        event = self._note(find_source_line(caller), self._model.training, gradient)
        self._open = _OpenForward(event, self._model.training, gradient, set(), set())
        return self._open

    def _end(self, output: Any) -> None:
        opened, self._open = self._open, None
        assert opened is not None
        differentiable = [each for each in _list_tensors(output) if each.requires_grad]
        unknown = opened.with_gradient and not differentiable
        self._closed.append(
            ForwardRecord(
                opened.event,
                opened.training,
                opened.with_gradient,
                opened.dropout_on,
                opened.dropout_off,
                frozenset(opened.modules),
                frozenset(opened.without_gradient),
                None if unknown else False,
                opened.batch_norms_off,
            )
        )
        for each in differentiable:
            each.register_hook(partial(self._note_reached, opened.event))  # type: ignore[no-untyped-call]
        for path, scores in list_outputs(output):
            hook = partial(self._note_gradient, opened.event, path, scores.detach())
            scores.register_hook(hook)  # type: ignore[no-untyped-call]

    def _note_reached(self, event: int, _: Tensor) -> None:
        self._reached.add(event)

    def _note_gradient(self, event: int, path: str, scores: Tensor, gradient: Tensor) -> None:
        use = read_output_use(event, path, scores, gradient)
        if self._keep_scores:
            kept = scores.float().cpu().clone()
            mark_as_own(kept)
            use = replace(use, scores=kept)
        self.outputs.append(use)


def _list_tensors(output: Any, depth: int = 0) -> Iterator[Tensor]:
    """The tensors in what a model returned: also those in objects with attributes."""
    if isinstance(output, Tensor):
        yield output
    elif depth > 4 or output is None or isinstance(output, str | bytes | int | float):
        return
    elif isinstance(output, Mapping):
        for value in list(output.values()):
            yield from _list_tensors(value, depth + 1)
    elif isinstance(output, list | tuple | set):
        for value in output:
            yield from _list_tensors(value, depth + 1)
    elif dataclasses.is_dataclass(output) or hasattr(output, "__dict__"):
        for value in list(getattr(output, "__dict__", {}).values()):
            yield from _list_tensors(value, depth + 1)

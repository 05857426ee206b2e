"""See whether a dropout is on in evaluation mode, and switch it off."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Any

import torch
from torch.nn import functional as F
from torch.overrides import TorchFunctionMode


@dataclass(frozen=True)
class _Argument:
    """One argument of a function: its name, its place among the positional ones, and its default."""

    name: str
    place: int
    default: Any

    def read(self, args: tuple[Any, ...], named: Mapping[str, Any]) -> Any:
        """Its value in a call."""
        return args[self.place] if len(args) > self.place else named.get(self.name, self.default)


@dataclass(frozen=True)
class _Dropout:
    """A function that drops values: its probability, and the argument that switches it."""

    probability: _Argument
    switch: _Argument
    off: Any = False

    def is_on(self, args: tuple[Any, ...], named: Mapping[str, Any]) -> bool:
        """Whether this call draws random numbers."""
        return bool(self.switch.read(args, named)) and bool(self.probability.read(args, named))


_MODULE_STYLE = _Dropout(_Argument("p", 1, 0.5), _Argument("training", 2, True))
_TENSOR_STYLE = _Dropout(_Argument("p", 1, 0.5), _Argument("train", 2, True))
_ATTENTION = _Argument("dropout_p", 4, 0.0)
_DROPOUTS: Mapping[Any, _Dropout] = {
    F.dropout: _MODULE_STYLE,
    F.alpha_dropout: _MODULE_STYLE,
    F.dropout1d: _MODULE_STYLE,
    F.dropout2d: _MODULE_STYLE,
    F.dropout3d: _MODULE_STYLE,
    F.feature_alpha_dropout: _MODULE_STYLE,
    torch.dropout: _TENSOR_STYLE,
    torch.dropout_: _TENSOR_STYLE,
    torch.alpha_dropout: _TENSOR_STYLE,
    torch.feature_dropout: _TENSOR_STYLE,
    torch.feature_alpha_dropout: _TENSOR_STYLE,
    F.scaled_dot_product_attention: _Dropout(_ATTENTION, _ATTENTION, off=0.0),
    F.multi_head_attention_forward: _Dropout(
        _Argument("dropout_p", 10, 0.0), _Argument("training", 13, True)
    ),
}


_switched_off: ContextVar[bool] = ContextVar("stray dropout is switched off", default=False)


@contextmanager
def without_stray_dropout(wanted: bool = True) -> Iterator[None]:
    """Context manager in which no `Call` of a model in evaluation mode draws dropout.

    Args:
        wanted: with False dropout does what the model's code says.
    """
    token = _switched_off.set(wanted)
    try:
        yield
    finally:
        _switched_off.reset(token)


def open_dropout_guard(*, training: bool) -> AbstractContextManager[object]:
    """What one call of a model is made in: dropout passes its input through if it was switched off.

    Args:
        training: the model is in training mode, where dropout is due.
    """
    return _DropoutOff() if _switched_off.get() and not training else nullcontext()


def find_stray_dropout(run: Callable[[], object]) -> bool:
    """Whether a forward pass, of a model in evaluation mode, calls a dropout that is on."""
    with _DropoutWatch() as watch:
        run()
    seen: bool = watch.seen
    return seen


class _DropoutOff(TorchFunctionMode):
    def __torch_function__(
        self,
        func: Callable[..., Any],
        types: Sequence[type],
        args: tuple[Any, ...] = (),
        kwargs: Mapping[str, Any] | None = None,
    ) -> Any:
        """Call the function, a dropout without its randomness."""
        named = dict(kwargs or {})
        dropout = _DROPOUTS.get(func)
        if dropout is not None:
            place = dropout.switch.place
            if len(args) > place:
                args = (*args[:place], dropout.off, *args[place + 1 :])
            else:
                named[dropout.switch.name] = dropout.off
        return func(*args, **named)


class _DropoutWatch(TorchFunctionMode):
    def __init__(self) -> None:
        super().__init__()
        self.seen = False

    def __torch_function__(
        self,
        func: Callable[..., Any],
        types: Sequence[type],
        args: tuple[Any, ...] = (),
        kwargs: Mapping[str, Any] | None = None,
    ) -> Any:
        """Call the function, and note a dropout that is on."""
        named = kwargs or {}
        dropout = _DROPOUTS.get(func)
        if dropout is not None and dropout.is_on(args, named):
            self.seen = True
        return func(*args, **named)

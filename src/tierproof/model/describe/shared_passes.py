"""A cache of results of forward and backward passes, shared by all checks that ask for the same one."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Hashable
from typing import Any, TypeVar, cast

import torch
from torch import Tensor, nn

from tierproof.model.call.call import Call

_Result = TypeVar("_Result")


class SharedPasses:
    """The results of passes through one model, by question.

    They stay valid because the runner restores the model bit for bit between checks. Within a check, share only
    results of the unchanged model. Code that changes the model lastingly (batch norm statistics, another device)
    must call `forget`.

    Attributes:
        reused: how often a stored result was returned.
    """

    def __init__(self) -> None:
        self._results: dict[Hashable, Any] = {}
        self.reused = 0

    def share(self, question: Hashable, answer: Callable[[], _Result]) -> _Result:
        """Return the stored result for `question`; if there is none, call `answer` and store what it returns."""
        if question in self._results:
            self.reused += 1
        else:
            self._results[question] = answer()
        return cast(_Result, self._results[question])

    def forget(self) -> None:
        """Drop all results, because the model has changed."""
        self._results.clear()


def identify_call(call: Call) -> Hashable:
    """A key that is equal for calls that pass equal values in the same way."""
    return (
        call.style,
        repr(sorted(call.constants.items())),
        tuple((name, _identify(value)) for name, value in call.arguments.items()),
    )


def identify_modes(model: nn.Module) -> Hashable:
    """A key that is equal while every module keeps its mode (training or evaluation)."""
    return hash(tuple(module.training for module in model.modules()))


def _identify(value: Any) -> Hashable:
    if not isinstance(value, Tensor) or value.is_meta or value.layout is not torch.strided or value.is_nested:
        return id(value)
    plain = value.detach().cpu().contiguous().reshape(-1)
    digest = hashlib.blake2b(plain.view(torch.uint8).numpy().tobytes()).digest() if plain.numel() else b""
    return (str(value.dtype), str(value.device), tuple(value.shape), digest)

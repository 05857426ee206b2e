"""What one pass through the model showed, kept for every check that asks the same question."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Hashable
from typing import Any, TypeVar, cast

import torch
from torch import Tensor, nn

from tierproof.model.call.call import Call

_Result = TypeVar("_Result")


class SharedPasses:
    """Results by question.

    They stay true because the runner puts the model back, bit for bit, between checks; within a check, only
    what is asked of the unchanged model may be shared. A change that is to last (batch statistics that are
    settled, another device) calls `forget`.

    Attributes:
        reused: how often a result was given a second time.
    """

    def __init__(self) -> None:
        self._results: dict[Hashable, Any] = {}
        self.reused = 0

    def share(self, question: Hashable, answer: Callable[[], _Result]) -> _Result:
        """The result kept for `question`; else that of `answer()`, which is kept unless it raises."""
        if question in self._results:
            self.reused += 1
        else:
            self._results[question] = answer()
        return cast(_Result, self._results[question])

    def forget(self) -> None:
        """Drop everything: the model is another one from now on."""
        self._results.clear()


def identify_call(call: Call) -> Hashable:
    """Equal for calls that pass equal values in the same way."""
    return (
        call.style,
        repr(sorted(call.constants.items())),
        tuple((name, _identify(value)) for name, value in call.arguments.items()),
    )


def identify_modes(model: nn.Module) -> Hashable:
    """Equal while every module is in the mode (training or evaluation) in which it was."""
    return hash(tuple(module.training for module in model.modules()))


def _identify(value: Any) -> Hashable:
    if not isinstance(value, Tensor) or value.is_meta or value.layout is not torch.strided or value.is_nested:
        return id(value)
    plain = value.detach().cpu().contiguous().reshape(-1)
    digest = hashlib.blake2b(plain.view(torch.uint8).numpy().tobytes()).digest() if plain.numel() else b""
    return (str(value.dtype), str(value.device), tuple(value.shape), digest)

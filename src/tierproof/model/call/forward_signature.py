"""The argument names of a model's forward pass, read from its signature."""

from __future__ import annotations

import inspect
from dataclasses import dataclass

from torch import nn


@dataclass(frozen=True)
class ForwardSignature:
    """The names of the arguments of a forward pass.

    Attributes:
        required: must be passed, in order.
        optional: have a default.
        variadic: `*args` is accepted and nothing else is required.
    """

    required: tuple[str, ...]
    optional: tuple[str, ...]
    variadic: bool = False

    @property
    def names(self) -> tuple[str, ...]:
        """All parameter names in order: required ones first."""
        return self.required + self.optional

    def __contains__(self, name: str) -> bool:
        return name in self.names


def read_signature(model: nn.Module) -> ForwardSignature:
    """Read the forward signature; a module whose signature is hidden counts as variadic.

    A nn.Sequential forwards to its first child, so its one parameter is called `input`.
    """
    try:
        parameters = list(inspect.signature(model.forward).parameters.values())
    except (TypeError, ValueError):
        return ForwardSignature((), (), variadic=True)
    named = [p for p in parameters if p.kind not in (p.VAR_POSITIONAL, p.VAR_KEYWORD)]
    required = tuple(p.name for p in named if p.default is p.empty)
    optional = tuple(p.name for p in named if p.default is not p.empty)
    variadic = any(p.kind is p.VAR_POSITIONAL for p in parameters) and not named
    return ForwardSignature(required, optional, variadic)

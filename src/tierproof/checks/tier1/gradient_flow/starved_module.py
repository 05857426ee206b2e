"""A module whose trainable parameters got no gradient."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class StarvedModule:
    """A module that owns trainable parameters without gradient.

    Attributes:
        path: the module, as `named_modules()` gives it.
        names: its starved parameters, with their full paths.
        connected: a gradient of zeros arrived, rather than none.
        whole: all its trainable parameters are starved, and one of them is a matrix.
        tick: when the forward first used one of them; None where it used none.
    """

    path: str
    names: tuple[str, ...]
    connected: bool
    whole: bool
    tick: int | None

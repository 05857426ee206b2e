"""One model of a stranger: its package, how it is built, and the help that `tp.check` gets."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

Build = Callable[[], Any]


@dataclass(frozen=True)
class Case:
    """A model of a public package, built tiny.

    Attributes:
        name: unique among the cases.
        package: distribution that the model is from, as `packages.txt` names it.
        build: gives the model, or the model and the options that its user would have to give (then it is *helped*).
        stand_ins: packages that are imported by `package` and not used by the model, replaced by empty modules.
        broken: why no inputs can run this model beside the present torch; empty where it runs.
    """

    name: str
    package: str
    build: Build
    stand_ins: tuple[str, ...] = ()
    broken: str = ""


CASES: dict[str, Case] = {}


def case(package: str, *, stand_ins: tuple[str, ...] = (), broken: str = "") -> Callable[[Build], Build]:
    """Register the decorated function as the build of the case of its name."""

    def register(build: Build) -> Build:
        if build.__name__ in CASES:
            raise ValueError(f"two cases are named {build.__name__}")
        CASES[build.__name__] = Case(build.__name__, package, build, stand_ins, broken)
        return build

    return register

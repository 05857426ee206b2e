"""What is judged, and what comes of it."""

from __future__ import annotations

from dataclasses import dataclass

from tierproof.guard.capture.base import Base
from tierproof.guard.commands.requirement import RequestedPackage
from tierproof.guard.judge.plan import Plan
from tierproof.guard.resolve.lock import Lock
from tierproof.guard.resolve.resolve import Resolver


@dataclass(frozen=True, slots=True)
class Request:
    """The requirements and the base they are planned on; `active` are those whose markers hold."""

    active: tuple[RequestedPackage, ...]
    lines: tuple[str, ...]
    base: Base
    resolver: Resolver


@dataclass(frozen=True, slots=True)
class Judgement:
    """A plan and the resolution behind it; `lock` is None if nothing resolves."""

    plan: Plan
    lock: Lock | None = None

"""Refuses a request that only a build could serve, where the build was not allowed."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from tierproof.guard.capture.base import Base
from tierproof.guard.commands.requirement import RequestedPackage, Source
from tierproof.guard.judge.explain import name_packages
from tierproof.guard.judge.plan import Plan, PlanVerdict


def refuse_builds(
    active: Sequence[RequestedPackage], base: Base, allow_build: Collection[str]
) -> Plan | None:
    """Return an infeasible plan if a requirement must be built and is not in `allow_build`; else None."""
    barred = [
        item
        for item in active
        if item.source is Source.BUILD and not {item.name, item.text} & set(allow_build)
    ]
    if not barred:
        return None
    names = [item.name or item.text for item in barred]
    options = " ".join(f"--allow-build {name}" for name in names)
    return Plan(
        (),
        base.name,
        PlanVerdict.INFEASIBLE,
        explanation=(
            f"{name_packages(names)} must be built from source. A build runs the package's code, so a plan never "
            f"starts one by itself. To allow it, install with {options}."
        ),
    )

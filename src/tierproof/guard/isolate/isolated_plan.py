"""Plans the layer of a worker, and finds the base packages that may fail with it."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace

from packaging.requirements import InvalidRequirement, Requirement
from packaging.specifiers import SpecifierSet
from packaging.utils import canonicalize_name

from tierproof.guard.capture.base import Base
from tierproof.guard.judge.judge_plan import judge_requirements
from tierproof.guard.judge.plan import Conflict, Plan, PlanVerdict
from tierproof.guard.judge.plan_refused import PlanRefused
from tierproof.guard.judge.protected import is_accelerator
from tierproof.guard.judge.ways import spell_builds
from tierproof.guard.resolve.lock import Lock
from tierproof.guard.resolve.plan_error import PlanError
from tierproof.guard.resolve.resolve import DEFAULT_LIMIT_S

_ROUNDS = 4
_NAME = re.compile(r"[A-Za-z0-9._-]+")


@dataclass(frozen=True, slots=True)
class IsolatedPlan:
    """The packages that a worker imports instead of, or beside, those of the base.

    Attributes:
        plan: its `add` is the layer; its verdict is *satisfied* if no layer is needed.
        lock: the resolution that the layer is installed from.
        unhappy: bounds of base packages that the layer breaks; these packages may fail in the worker.
    """

    plan: Plan
    lock: Lock
    unhappy: tuple[Conflict, ...] = ()

    @property
    def names(self) -> tuple[str, ...]:
        """Normalised names of the packages that the layer holds."""
        return tuple(item.name for item in self.plan.add)

    def describe_unhappy(self) -> str:
        """Return a sentence about the base packages that may fail; empty if there are none."""
        if not self.unhappy:
            return ""
        told = [
            f"{item.required_by} (needs {item.package}{item.required}, gets {item.installed})"
            for item in self.unhappy
        ]
        names = sorted({item.required_by for item in self.unhappy})
        return (
            f"These installed packages may fail in the worker: {', '.join(told)}. "
            f"Request {'it' if len(names) == 1 else 'them'} as well to get a version that fits: "
            f"{' '.join(names)}."
        )


def plan_isolated(
    requirements: Sequence[str],
    base: Base,
    *,
    allow_build: Collection[str] = (),
    limit_s: float = DEFAULT_LIMIT_S,
    environment: Mapping[str, str] | None = None,
) -> IsolatedPlan:
    """Plan a layer.

    If a base package does not accept the new version of a dependency, and the calling process has loaded it, it is
    resolved into the layer as well, because the call probably uses it. Other such packages are only listed.

    Args:
        requirements: as typed.
        base: the interpreter and packages that the worker starts from.
        allow_build: names that may be built from source; building runs their code.
        limit_s: seconds that one resolution may take.
        environment: variables with the index settings; `os.environ` by default.

    Raises:
        PlanRefused: no combination of versions satisfies the request, or a package must be built; it carries the plan.
        UsageError: a requirement is not valid.
        UnknownPackageError: no index has a requested name.
        PlanError: no network, an index that refuses, or a resolution that takes too long.
    """

    def judge(asked: Sequence[str]) -> IsolatedPlan:
        judgement = judge_requirements(
            asked, base, allow_build=allow_build, limit_s=limit_s, environment=environment, isolated=True
        )
        plan = judgement.plan
        if judgement.lock is None or plan.verdict in (PlanVerdict.INFEASIBLE, PlanVerdict.UNKNOWN):
            options = spell_builds(plan)
            hint = (
                f"To build from source, which runs the code of these packages, pass {options}."
                if options
                else ""
            )
            raise PlanRefused(f"{', '.join(requirements)}: {plan.explanation}", plan=plan, hint=hint)
        return IsolatedPlan(_explain(plan, base), judgement.lock, find_unhappy(judgement.lock, plan, base))

    found = judge(requirements)
    asked = list(requirements)
    for _ in range(_ROUNDS):
        more = [name for name in _choose_dependents(found, base) if name not in asked]
        if not more:
            break
        asked += more
        try:
            found = judge(asked)
        except (PlanRefused, PlanError):  # then they are named
            break
    return found


def _explain(plan: Plan, base: Base) -> Plan:
    """Say what the layer is, where it replaces nothing: then no conflict is there to be explained."""
    if not plan.add:
        words = "Everything requested is already installed; the worker uses it unchanged."
        return replace(plan, verdict=PlanVerdict.SATISFIED, explanation=words)
    if not any(item.name in base.by_name for item in plan.add):
        names = ", ".join(f"{item.name} {item.version}" for item in plan.add)
        return replace(plan, explanation=f"Only the worker gets {names}; it replaces no installed package.")
    return plan


def find_unhappy(lock: Lock, plan: Plan, base: Base) -> tuple[Conflict, ...]:
    """Return the bounds of base packages that hold now and that the layer would break."""
    brought = {item.name for item in plan.add}
    versions = {item.name: item.version for item in lock.packages if item.name in brought}
    replaced = {name for name in versions if name in base.by_name}
    found = []
    for item in base.by_name.values():
        for line in () if item.name in brought else item.requires:
            named = _NAME.match(line)
            if named is None or (name := canonicalize_name(named[0])) not in replaced:
                continue  # a base of hundreds of packages declares thousands of bounds
            bounds = _read_bounds(line, base)
            before = base.version(name)
            assert before is not None
            if bounds.contains(before, prereleases=True) and not bounds.contains(
                versions[name], prereleases=True
            ):
                found.append(Conflict(name, versions[name], str(bounds), item.name))
    return tuple(sorted(found, key=lambda each: (each.required_by, each.package)))


def _read_bounds(line: str, base: Base) -> SpecifierSet:
    """Return the bounds of a Requires-Dist line; none where it does not apply or cannot be read."""
    try:
        requirement = Requirement(line)
    except InvalidRequirement:
        return SpecifierSet()
    marker = requirement.marker
    if marker is not None and not marker.evaluate({**base.markers, "extra": ""}):
        return SpecifierSet()
    return requirement.specifier


def _choose_dependents(found: IsolatedPlan, base: Base) -> list[str]:
    names = {item.required_by for item in found.unhappy}
    return sorted(name for name in names if name in base.loaded.names and not is_accelerator(name))

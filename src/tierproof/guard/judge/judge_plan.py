"""The ladder of verdicts: finds the safest way to install a request, by resolving it under ever weaker promises."""

from __future__ import annotations

import time
from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace

from tierproof.core.credentials import hide_credentials
from tierproof.guard.capture.base import Base
from tierproof.guard.commands.requirement import RequestedPackage, Source, parse_requirements
from tierproof.guard.judge.age import find_aged
from tierproof.guard.judge.collision import find_collision
from tierproof.guard.judge.conflict import (
    Waiver,
    describe_conflicts,
    find_direct_conflicts,
    find_waiver,
)
from tierproof.guard.judge.explain_plan import (
    explain_added,
    explain_aged,
    explain_shadows,
    explain_steady,
    join_sentences,
    name_packages,
)
from tierproof.guard.judge.mark_unknown import mark_unknown
from tierproof.guard.judge.offer_the_rest import offer_the_rest
from tierproof.guard.judge.plan import Conflict, Plan, PlanVerdict
from tierproof.guard.judge.protected import is_accelerator, is_protected
from tierproof.guard.judge.request import Judgement, Request
from tierproof.guard.judge.shadow import (
    Shadowing,
    collect_bounds,
    find_shadowing,
    list_changed,
)
from tierproof.guard.judge.split_lock import list_loaded, name_accelerators, split_lock
from tierproof.guard.judge.ways import USE_WORKER
from tierproof.guard.resolve.index_settings import IndexSettings
from tierproof.guard.resolve.known_packages import is_unknown
from tierproof.guard.resolve.lock import Lock
from tierproof.guard.resolve.plan_error import UnknownPackageError
from tierproof.guard.resolve.resolve import DEFAULT_LIMIT_S, Freedom, Resolver, Unsolvable, open_resolver
from tierproof.guard.sources.find_sources import adopt_missing
from tierproof.guard.sources.refusals import find_refusals
from tierproof.guard.sources.requested_sources import list_build_gaps, list_index_gaps, plan_sources


def make_plan(
    requirements: Sequence[str],
    base: Base,
    *,
    allow_build: Collection[str] = (),
    limit_s: float = DEFAULT_LIMIT_S,
    environment: Mapping[str, str] | None = None,
) -> Plan:
    """Plan an install and return only the plan of `judge_requirements`."""
    return judge_requirements(
        requirements, base, allow_build=allow_build, limit_s=limit_s, environment=environment
    ).plan


def judge_requirements(
    requirements: Sequence[str],
    base: Base,
    *,
    allow_build: Collection[str] = (),
    limit_s: float = DEFAULT_LIMIT_S,
    environment: Mapping[str, str] | None = None,
    isolated: bool = False,
) -> Judgement:
    """Plan an install of requirements as typed: parse them, then call `judge_requested`.

    Raises:
        UsageError: a requirement is not valid.
    """
    return judge_requested(
        parse_requirements(requirements),
        base,
        allow_build=allow_build,
        limit_s=limit_s,
        environment=environment,
        isolated=isolated,
    )


def judge_requested(
    requested: Sequence[RequestedPackage],
    base: Base,
    *,
    allow_build: Collection[str] = (),
    limit_s: float = DEFAULT_LIMIT_S,
    environment: Mapping[str, str] | None = None,
    isolated: bool = False,
    settings: IndexSettings | None = None,
    exclude_newer: str = "",
    constraints: Sequence[str] = (),
    dependencies: bool = True,
    wheels_only: bool = False,
) -> Judgement:
    """Plan an install. Writes nothing but a temporary folder and the caches.

    Args:
        requested: parsed requirements.
        base: the interpreter and packages to plan for.
        allow_build: names that may be built from source; building runs their code.
        limit_s: seconds that one resolution may take.
        environment: variables with the index settings; `os.environ` by default.
        isolated: plan for an isolated worker, even if the request fits the kernel.
        settings: index settings, instead of the configured ones.
        exclude_newer: a date or time in ISO format; later uploads are ignored.
        constraints: bounds on all resolved packages, as requirement lines.
        dependencies: whether dependencies are added as well.
        wheels_only: what has no wheel is refused, as by `--only-binary :all:`.

    Raises:
        UnknownPackageError: no index has a requested name.
        PlanError: no network, an index that refuses, or a resolution that takes too long.
    """
    started = time.perf_counter()
    active = tuple(item for item in requested if item.applies(base.markers))
    left_out = [item.text for item in requested if item not in active]
    with open_resolver(
        base,
        allow_build=allow_build,
        limit_s=limit_s,
        environment=environment,
        settings=settings,
        exclude_newer=exclude_newer,
        constraints=constraints,
        dependencies=dependencies,
    ) as resolver:
        judgement = _judge_all(active, base, resolver, isolated=isolated, wheels_only=wheels_only)
    return _complete(judgement, requested, left_out, time.perf_counter() - started)


def _judge_all(
    active: Sequence[RequestedPackage], base: Base, resolver: Resolver, *, isolated: bool, wheels_only: bool
) -> Judgement:
    """Judge what has wheels and what must be built together; what the latter leaves open makes the plan unknown."""
    planned = plan_sources(active, resolver)
    request = Request(planned.requested, planned.lines, base, resolver)

    def judge() -> Judgement:
        return _plan_isolated(request, (), "") if isolated else _judge(request)

    judgement = judge()
    refusals: dict[str, str] = {}
    if judgement.plan.verdict is PlanVerdict.INFEASIBLE:
        refusals = find_refusals(request.active, resolver, wheels_only=wheels_only)
        if not refusals and not wheels_only and adopt_missing(resolver, request.lines):
            judgement = judge()
    judgement = replace(judgement, plan=_explain_refusals(judgement.plan, refusals))
    judgement = replace(judgement, plan=offer_the_rest(judgement.plan, request, refusals, _judge))
    gaps = (*planned.gaps, *list_build_gaps(judgement.lock, resolver), *list_index_gaps(resolver))
    return judgement if not gaps or refusals else replace(judgement, plan=mark_unknown(judgement.plan, gaps))


def _explain_refusals(plan: Plan, refusals: Mapping[str, str]) -> Plan:
    if not refusals:
        return plan
    reasons = "; ".join(refusals.values())
    return replace(plan, explanation=f"pip refuses this request and changes nothing: {reasons}.")


def _complete(
    judgement: Judgement, requested: Sequence[RequestedPackage], left_out: Sequence[str], duration_s: float
) -> Judgement:
    """Add to a plan what was requested, what was left out, and its duration; credentials are hidden."""
    plan = judgement.plan
    why = "its environment marker does" if len(left_out) == 1 else "their environment markers do"
    note = f"Skipped because {why} not hold here: {', '.join(left_out)}." if left_out else ""
    plan = replace(
        plan,
        requested=tuple(hide_credentials(item.text) for item in requested),
        explanation=hide_credentials(join_sentences(plan.explanation, note)),
        duration_s=duration_s,
    )
    return Judgement(plan, judgement.lock)


def _judge(request: Request) -> Judgement:
    """Go down the ladder; what would be installed may not share a module with what is installed."""
    judgement = _go_down(request)
    collision = find_collision(judgement, request)
    if collision is None:
        return judgement
    isolated = _plan_isolated(request, judgement.plan.conflicts, collision.describe())
    touched = {*isolated.plan.touches_loaded, *({collision.owner} & request.base.loaded.names)}
    return replace(isolated, plan=replace(isolated.plan, touches_loaded=tuple(sorted(touched))))


def _go_down(request: Request) -> Judgement:
    """Go down the ladder to the first verdict that holds."""
    direct = find_direct_conflicts(request.active, request.base)
    barred = ""
    if not direct:
        lock = request.resolver.resolve(request.lines, _hold_base(request))
        if isinstance(lock, Lock):
            barred = name_accelerators(lock, request.base)
            if not barred:
                return _plan_addition(lock, request)
            return _plan_isolated(request, (), f"tierproof never adds {barred} to a running kernel")
    if _may_be_shadowed(direct, request.base):
        must = frozenset(item.package for item in direct)
        shadowing = find_shadowing(request.lines, request.resolver, must)
        if shadowing is not None:
            if not shadowing.shadows:
                return _plan_addition(shadowing.lock, request)
            return _plan_shadow(shadowing, direct, request)
    if direct:
        return _plan_isolated(request, direct, describe_conflicts(direct, request.base))
    waiver = find_waiver(request.active, request.lines, request.resolver)
    if waiver is None:
        return _plan_isolated(request, (), "")
    return _plan_waiver(waiver, request)


def _hold_base(request: Request) -> Freedom:
    """Freeze the base; packages that tierproof added and no process has loaded may change within known bounds."""
    base, everything = request.base, frozenset(request.base.by_name)
    named = {item.name for item in request.active}
    constraints = {
        *collect_bounds(request.resolver, everything, on=base.replaceable),
        *(f"{name}{bounds}" for name, bounds in base.held.items() if bounds and name not in named),
    }
    return Freedom(
        frozen=everything - base.replaceable,
        preferred=base.replaceable,
        constraints=tuple(sorted(constraints)),
    )


def _plan_addition(lock: Lock, request: Request) -> Judgement:
    add, reuse = split_lock(lock, request.base)
    if not add:
        plan = Plan(
            (), request.base.name, PlanVerdict.SATISFIED, reuse=reuse, explanation=_explain_satisfied(request)
        )
        return Judgement(plan, lock)
    aged = find_aged(request.active, lock, request.resolver)
    plan = Plan(
        (),
        request.base.name,
        PlanVerdict.ADDITIVE,
        add=add,
        reuse=reuse,
        aged=aged,
        explanation=join_sentences(explain_added(add), explain_aged(aged)),
    )
    return Judgement(plan, lock)


def _plan_shadow(shadowing: Shadowing, direct: tuple[Conflict, ...], request: Request) -> Judgement:
    add, reuse = split_lock(shadowing.lock, request.base)
    conflicts = direct or shadowing.conflicts
    needed = describe_conflicts(conflicts, request.base)
    shadowed = {item.name for item in shadowing.shadows}
    aged = find_aged(request.active, shadowing.lock, request.resolver)
    plan = Plan(
        (),
        request.base.name,
        PlanVerdict.SHADOW,
        add=tuple(item for item in add if item.name not in shadowed),
        reuse=reuse,
        shadows=shadowing.shadows,
        conflicts=conflicts,
        aged=aged,
        explanation=join_sentences(
            f"{needed}." if needed else "",
            explain_shadows(shadowing.shadows, request.base),
            explain_aged(aged),
            request.base.loaded.how_known,
        ),
    )
    return Judgement(plan, shadowing.lock)


def _plan_waiver(waiver: Waiver, request: Request) -> Judgement:
    barred = name_accelerators(waiver.lock, request.base)
    said = describe_conflicts(waiver.conflicts, request.base)
    if barred or not waiver.conflicts or any(is_protected(item.package) for item in waiver.conflicts):
        reason = said or (f"tierproof never adds {barred} to a running kernel" if barred else "")
        return _plan_isolated(request, waiver.conflicts, reason)
    add, reuse = split_lock(waiver.lock, request.base)
    aged = find_aged(request.active, waiver.lock, request.resolver)
    packages = name_packages([item.package for item in waiver.conflicts])
    plan = Plan(
        (),
        request.base.name,
        PlanVerdict.WAIVER,
        add=add,
        reuse=reuse,
        conflicts=waiver.conflicts,
        aged=aged,
        touches_loaded=list_loaded(waiver.conflicts, request.base),
        explanation=join_sentences(
            f"{said}.",
            f"If you ignore (waive) {'this bound' if len(waiver.conflicts) == 1 else 'these bounds'} on {packages}, "
            "everything else fits; the imports are tried in a child process first.",
            explain_aged(aged),
            request.base.loaded.how_known,
        ),
    )
    return Judgement(plan, waiver.lock)


def _plan_isolated(request: Request, conflicts: tuple[Conflict, ...], reason: str) -> Judgement:
    """Plan an isolated worker: every package may change, but accelerators stay if they can."""
    base, everything = request.base, frozenset(request.base.by_name)
    asked = {item.package for item in conflicts}
    fixed = frozenset(name for name in everything if is_accelerator(name) and name not in asked)
    lock = request.resolver.resolve(request.lines, Freedom(frozen=fixed, preferred=everything - fixed))
    if isinstance(lock, Unsolvable) and fixed:
        lock = request.resolver.resolve(request.lines, Freedom(preferred=everything))
    if isinstance(lock, Unsolvable):
        return _plan_infeasible(request, conflicts, lock.words)
    add, reuse = split_lock(lock, base)
    changed = list_changed(lock, base)
    if not reason:
        reason = (
            f"the request needs another version of {name_packages(changed)}"
            if changed
            else "the request does not fit the installed packages"
        )
    steady = [name for name in changed if name in base.loaded.names or is_protected(name)]
    touched = {*list_loaded(conflicts, base), *(name for name in changed if name in base.loaded.names)}
    plan = Plan(
        (),
        base.name,
        PlanVerdict.ISOLATED,
        add=add,
        reuse=reuse,
        conflicts=conflicts,
        touches_loaded=tuple(sorted(touched)),
        explanation=join_sentences(
            f"{reason}.",
            explain_steady(steady, conflicts, lock, request.resolver),
            f"Code that needs these packages can run isolated, in a process with its own versions: {USE_WORKER}.",
            base.loaded.how_known if conflicts or changed else "",
        ),
    )
    return Judgement(plan, lock)


def _plan_infeasible(request: Request, conflicts: tuple[Conflict, ...], words: str) -> Judgement:
    for item in () if request.resolver.unreachable else request.active:
        if item.source is Source.INDEX and is_unknown(item.name, request.resolver.settings):
            raise UnknownPackageError(
                f"no package index has a package named {item.name!r}",
                hint="Check the spelling: the name on the index can differ from the name that you import.",
            )
    plan = Plan(
        (),
        request.base.name,
        PlanVerdict.INFEASIBLE,
        conflicts=conflicts,
        touches_loaded=list_loaded(conflicts, request.base),
        explanation=join_sentences(
            f"No combination of released wheels satisfies this request on Python {request.base.python}, "
            "even in an empty environment.",
            words,
        ),
    )
    return Judgement(plan)


def _may_be_shadowed(direct: Sequence[Conflict], base: Base) -> bool:
    return not any(item.package in base.loaded.names or is_protected(item.package) for item in direct)


def _explain_satisfied(request: Request) -> str:
    if not request.active:
        return "There is nothing to install."
    return "Everything requested is already installed; nothing changes."

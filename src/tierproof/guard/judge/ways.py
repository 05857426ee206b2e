"""What a user can do about a plan: every line of advice that names a command is made here, to be copied as it stands.

Each line is run by a test against a situation that prints it.
"""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from dataclasses import dataclass

from tierproof.guard.commands.gap import GapReason
from tierproof.guard.judge.plan import Plan, PlanVerdict

# For a message that has no room for a line with the requirements.
USE_WORKER = "use `tierproof run --with`, or `tp.isolated`"
RUN_ISOLATED = f"Run the code that needs this package in a process of its own: {USE_WORKER}."
CALL_IN_KERNEL = (
    "Call `tp.install()` in the running kernel (only that process then sees the packages), or use `tierproof "
    "run --with`"
)
ALLOW_CELL = (
    "To run it anyway, add the comment  # tierproof: allow  to the cell, and restart the kernel afterwards."
)
KEEP_LOADED = "A loaded package cannot be removed safely: restart the kernel first."
NOTHING_NEEDED = "Nothing needs to be installed: the installed packages satisfy this request."
NO_COMBINATION = "No combination of versions satisfies this request"


@dataclass(frozen=True, slots=True)
class Way:
    """One way to go on.

    Attributes:
        text: said before the line.
        line: of a notebook cell, ready to be copied; empty where there is nothing to run.
        reason: said after it.
    """

    text: str
    line: str = ""
    reason: str = ""


def list_ways(plan: Plan, requests: Sequence[str] = (), files: Sequence[str] = ()) -> tuple[Way, ...]:
    """Return the ways to get what a plan is about, the best first.

    Args:
        plan: of the whole request.
        requests: the requirements to spell; those of the plan by default.
        files: requirements files that hold further ones, in place of which their names are spelled.
    """
    named = tuple(requests) or (() if files else plan.requested)
    match plan.verdict:
        case PlanVerdict.SATISFIED:
            return (Way(NOTHING_NEEDED),)
        case PlanVerdict.ADDITIVE | PlanVerdict.SHADOW | PlanVerdict.WAIVER:
            return (Way("Instead:", _spell_install(plan, named, files), plan.explanation),)
        case PlanVerdict.ISOLATED:
            reason = plan.explanation.partition(". ")[0].rstrip(".")
            return (
                *_list_rest(plan),
                Way(f"The install does not fit this kernel: {reason}."),
                *_list_workers(plan),
            )
        case PlanVerdict.UNKNOWN:
            return _list_builds(plan, named, files)
        case _:
            return (*_list_rest(plan), Way(f"{NO_COMBINATION}: {plan.explanation}"))


def spell_consents(plan: Plan) -> str:
    """Return the options that an install of a plan needs, as a command line spells them; mostly empty."""
    options = ["--allow-shadow"] if plan.verdict is PlanVerdict.SHADOW else []
    if plan.verdict is PlanVerdict.WAIVER:
        options += [f"--waive {name}" for name in sorted({item.package for item in plan.conflicts})]
    options += ["--allow-aged"] if plan.aged else []
    return " ".join(options)


def spell_worker_call(requests: Sequence[str]) -> str:
    """Return the Python call that runs a function with its own packages."""
    return f"tp.isolated({list(requests)!r}, function, *arguments)"


def _spell_install(plan: Plan, requests: Sequence[str], files: Sequence[str], more: str = "") -> str:
    words = shlex.join([*(word for file in files for word in ("-r", file)), *requests])
    return " ".join(filter(None, (f"%tierproof install {words}", spell_consents(plan), more)))


def _list_rest(plan: Plan) -> tuple[Way, ...]:
    if plan.rest is None:
        return ()
    dropped = ", ".join(plan.fits_without)
    if plan.rest.verdict is PlanVerdict.SATISFIED:
        return (
            Way(
                f"Without {dropped}, nothing needs to be installed: the other requirements are already satisfied."
            ),
        )
    line = _spell_install(plan.rest, plan.rest.requested, ())
    return (Way(f"Without {dropped}, the other requirements fit:", line, plan.rest.explanation),)


def _list_workers(plan: Plan) -> tuple[Way, ...]:
    options = " ".join(f"--with {shlex.quote(each)}" for each in plan.requested)
    return (
        Way(
            "Run the code that needs it in a worker, a process with its own packages:",
            spell_worker_call(plan.requested),
        ),
        Way("Or run a whole program with these packages:", f"!tierproof run {options} -- python script.py"),
    )


def spell_builds(plan: Plan) -> str:
    """Return the options that allow every build that a plan leaves open; empty where a build is not all it takes."""
    names = [gap.name or gap.what for gap in plan.gaps if gap.cause is GapReason.BUILD]
    if not names or len(names) < len(plan.gaps):
        return ""
    return " ".join(f"--allow-build {shlex.quote(name)}" for name in dict.fromkeys(names))


def _list_builds(plan: Plan, requests: Sequence[str], files: Sequence[str]) -> tuple[Way, ...]:
    """Offer to build what only a build can tell; what else is not worked out is said."""
    told, options = Way(plan.explanation), spell_builds(plan)
    verdict = plan.judged or PlanVerdict.ADDITIVE
    if not options or verdict in (PlanVerdict.ISOLATED, PlanVerdict.INFEASIBLE):
        return (told,)
    judged = Plan((), plan.base, verdict, aged=plan.aged, conflicts=plan.conflicts)
    line = _spell_install(judged, requests, files, options)
    return (told, Way("To build it from source, which runs its code:", line))

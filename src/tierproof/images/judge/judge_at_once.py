"""Commands of a notebook that need no resolution by tierproof: removals, other environments, conda, pip itself."""

from __future__ import annotations

from collections.abc import Sequence

from tierproof.guard.capture.base import Base
from tierproof.guard.commands.gap import Gap
from tierproof.guard.commands.pip_command import Action, PipCommand
from tierproof.guard.commands.requirement import RequestedPackage, Source
from tierproof.guard.foresee.foreseen import Foreseen
from tierproof.guard.judge.explain_plan import name_packages
from tierproof.guard.judge.mark_unknown import mark_unknown
from tierproof.guard.judge.plan import Plan, PlanVerdict

# They replace themselves, and no kernel has them loaded.
_INSTALLERS = frozenset({"pip", "uv"})


def judge_at_once(command: PipCommand, foreseen: Foreseen, base: Base) -> Plan | None:
    """Return the plan of a command that adds nothing to the kernel, or that is not worked out; else None.

    Args:
        command: as read.
        foreseen: what it would do.
        base: the image.
    """
    requested = (command.text,)
    if command.action is Action.UNINSTALL and not foreseen.harmless:
        return _mark(_judge_removal(foreseen, base), foreseen.gaps)
    if foreseen.harmless and not foreseen.refused:
        return Plan(
            requested, base.name, PlanVerdict.SATISFIED, explanation=f"Nothing changes: {foreseen.harmless}."
        )
    if foreseen.gaps and not foreseen.brought and not foreseen.changes and _is_whole(foreseen):
        return Plan(
            requested,
            base.name,
            PlanVerdict.UNKNOWN,
            gaps=foreseen.gaps,
            explanation=f"What this command changes could not be worked out: {foreseen.unforeseen}.",
        )
    return None


def leave_out_installers(requested: Sequence[RequestedPackage], base: Base) -> tuple[RequestedPackage, ...]:
    """Return the requirements without pip and uv themselves, where they are installed."""
    return tuple(
        item
        for item in requested
        if not (item.source is Source.INDEX and item.name in _INSTALLERS and item.name in base.by_name)
    )


def judge_installers(count: int, gaps: Sequence[Gap], base: Base) -> Plan:
    """Return the plan of a command that renews nothing but the installers, `count` of them."""
    plan = Plan(
        (),
        base.name,
        PlanVerdict.SATISFIED,
        explanation="Only pip or uv itself is upgraded; the kernel has not loaded it."
        if count
        else "There is nothing to install.",
    )
    return _mark(plan, gaps)


def _judge_removal(foreseen: Foreseen, base: Base) -> Plan:
    names = [f"{change.name} {change.installed}" for change in foreseen.changes]
    harms = tuple(change.name for change in foreseen.harms)
    if not names:
        verdict, told = PlanVerdict.SATISFIED, "Nothing is removed: none of these packages is installed."
    elif not harms:
        verdict = PlanVerdict.SATISFIED
        told = f"pip removes {name_packages(names)}, which nothing has loaded."
    else:
        verdict = PlanVerdict.ISOLATED
        told = f"pip removes {name_packages(names)}; {name_packages(harms)} is loaded."
        if len(harms) > 1:
            told = told.replace(" is loaded.", " are loaded.")
    return Plan((foreseen.command.text,), base.name, verdict, touches_loaded=harms, explanation=told)


def _is_whole(foreseen: Foreseen) -> bool:
    """Tell whether nothing of the command is left to be judged."""
    command = foreseen.command
    asked = (*command.requirements, *command.editables, *command.requirement_files)
    return (
        not asked
        or command.program.value == "conda"
        or command.action is Action.SYNC
        or bool(command.elsewhere)
    )


def _mark(plan: Plan, gaps: Sequence[Gap]) -> Plan:
    return mark_unknown(plan, gaps) if gaps else plan

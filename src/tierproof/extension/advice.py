"""What to do instead of a command that was stopped."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from dataclasses import dataclass

from tierproof.core.credentials import hide_credentials
from tierproof.errors import TierproofError
from tierproof.extension.stopped import InstallStopped
from tierproof.guard.commands.pip_command import Action
from tierproof.guard.foresee.foreseen import Foreseen
from tierproof.guard.foresee.name_requests import name_requests
from tierproof.guard.judge.plan import Plan, PlanVerdict

_SHOWN = 12
_SHARE = 3  # a plan takes several resolutions
LET_THROUGH = (
    "To run it anyway, add the comment  # tierproof: allow  to the cell, and restart the kernel afterwards."
)


@dataclass(frozen=True, slots=True)
class Advice:
    """What to do instead: lines to read, and the plan that they come from."""

    lines: tuple[str, ...]
    plan: Plan | None = None


def make_stop(foreseen: Sequence[Foreseen], limit_s: float) -> InstallStopped:
    """Describe what was stopped, and what to do instead.

    Args:
        foreseen: the commands, of which at least one harms what is loaded.
        limit_s: seconds that foreseeing the command might have taken; a third of it goes to each resolution of
            the alternative.
    """
    harmful = tuple(each for each in foreseen if each.harms)
    names = ", ".join(dict.fromkeys(change.name for each in harmful for change in each.harms))
    hint: list[str] = []
    plan = None
    for each in harmful:
        advice = advise(each, limit_s)
        plan = plan or advice.plan
        hint += [*_describe(each), *advice.lines]
    message = f"this was not run: it would change {names}, which this kernel has loaded."
    return InstallStopped(message, hint="\n".join([*hint, LET_THROUGH]), foreseen=harmful, plan=plan)


def advise(foreseen: Foreseen, limit_s: float) -> Advice:
    """Work out how the same request is served without changing what is loaded."""
    command = foreseen.command
    if command.action is not Action.INSTALL:
        return Advice(("A loaded package cannot be removed safely: restart the kernel first.",))
    requests = name_requests(foreseen)
    files = [word for file in command.requirement_files for word in ("-r", file)]
    words = shlex.join([*files, *requests])
    if files or not requests:
        return Advice((f"Instead:  %tierproof install {words}",))
    try:
        from tierproof.api.packages.plan import plan as make_plan

        plan = make_plan(*requests, limit_s=limit_s / _SHARE)
    except TierproofError as error:
        return Advice((f"Instead:  %tierproof plan {words}", f"  ({error.message})"))
    except Exception as error:  # noqa: BLE001 - told; that the command does harm is known all the same
        return Advice((f"Instead:  %tierproof plan {words}", f"  ({type(error).__name__}: {error})"))
    return Advice(tuple(_describe_way(plan, words, requests)), plan)


def _describe(foreseen: Foreseen) -> list[str]:
    lines = [f"  {hide_credentials(foreseen.command.text)}"]
    lines += [f"    ! {change.describe()}   loaded" for change in foreseen.harms]
    others = [f"    ~ {change.describe()}" for change in foreseen.changes if not change.loaded]
    others += [f"    + {added}" for added in foreseen.added]
    lines += others[:_SHOWN]
    if len(others) > _SHOWN:
        lines.append(f"    … and {len(others) - _SHOWN} more")
    return [*lines, *([f"    ({foreseen.unforeseen})"] if foreseen.unforeseen else [])]


def _describe_way(plan: Plan, words: str, requests: Sequence[str]) -> list[str]:
    line = f"Instead:  %tierproof install {words}"
    if plan.aged:
        line += " --allow-aged"
    match plan.verdict:
        case PlanVerdict.SATISFIED:
            return ["Nothing needs to be installed: the installed packages satisfy this request."]
        case PlanVerdict.ADDITIVE:
            return [line, f"  {plan.explanation}"]
        case PlanVerdict.SHADOW:
            return [f"{line} --allow-shadow", f"  {plan.explanation}"]
        case PlanVerdict.WAIVER:
            waived = dict.fromkeys(item.package for item in plan.conflicts)
            return [f"{line} {' '.join(f'--waive {name}' for name in waived)}", f"  {plan.explanation}"]
        case PlanVerdict.ISOLATED:
            reason = plan.explanation.partition(". ")[0].rstrip(".")
            return [
                f"It does not fit this kernel: {reason}.",
                "Instead, run the code that needs it in a worker with its own packages:",
                f"  tp.isolated({list(requests)!r}, function, *arguments)",
                f"  !tierproof run --with {' '.join(shlex.quote(each) for each in requests)} -- python script.py",
            ]
        case _:
            return [f"No combination of versions satisfies this request: {plan.explanation}"]

"""The cell that adds packages: the plan is shown, and carried out, offered or left, as the switch says."""

from __future__ import annotations

import re
import shlex
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import StrEnum

from tierproof.api.packages.doctor import doctor
from tierproof.api.packages.install import install as install_packages
from tierproof.api.packages.plan import plan as make_plan
from tierproof.errors import UsageError
from tierproof.guard.judge.plan import Plan, PlanVerdict
from tierproof.guard.judge.ways import NO_COMBINATION, list_ways, spell_worker_call
from tierproof.guard.operations.receipt import Receipt
from tierproof.session.box import Box, Tone
from tierproof.session.gpu_memory import compare_gpu_memory, read_gpu_memory

_COMMAND = re.compile(r"^\s*[!%]?\s*(?:(?:uv\s+)?pip3?\s+install)\s+")
_TITLES = ("package", "version", "what happens", "download")
_MOST_ROWS = 12
_CONSENT = {
    PlanVerdict.SHADOW: "Later imports would use other versions of installed packages that no process has loaded.",
    PlanVerdict.WAIVER: "A package would be added although it needs another version of an installed package.",
}
_AGED = "The install would add a release that is much older than the latest."


class InstallSwitch(StrEnum):
    """Whether a step may add packages."""

    AUTO = "auto"
    ASK = "ask"
    NEVER = "never"


@dataclass(frozen=True, slots=True)
class PackageStep:
    """What the cell did: the box, and the plan that waits for a yes."""

    box: Box
    waiting: Plan | None = None


def read_requirements(text: str) -> tuple[str, ...]:
    """Read the form's field: requirements with blanks or new lines between; a pasted `pip install` is fine.

    Raises:
        UsageError: it holds options, or quotes that do not end.
    """
    try:
        words = [word.rstrip(",") for word in shlex.split(_COMMAND.sub("", text))]
    except ValueError as error:
        raise UsageError(
            f"{text!r} cannot be read: {error}", hint="Separate names with spaces, and close each quote."
        ) from error
    options = [word for word in words if word.startswith("-")]
    if options:
        raise UsageError(
            f"{options[0]} is an option, not a package",
            hint="Enter only packages. For a newer version, add a bound, as in 'captum>=0.8'.",
        )
    return tuple(word for word in words if word)


def read_switch(switch: str) -> InstallSwitch:
    """Read the form's switch.

    Raises:
        UsageError: it is none of the three words.
    """
    try:
        return InstallSwitch(str(switch).strip().lower())
    except ValueError:
        raise UsageError(
            f"the field `install` has the unknown value {switch!r}",
            hint=f"Choose one of {', '.join(InstallSwitch)}.",
        ) from None


def add_packages(text: str, switch: str, on_step: Callable[[str], None]) -> PackageStep:
    """Plan what the form asks for, and do what its switch says.

    Raises:
        TierproofError: it cannot be read, planned or carried out; nothing was changed then.
    """
    setting = read_switch(switch)
    requirements = read_requirements(text)
    if not requirements:
        return PackageStep(
            Box("No packages were requested.", Tone.NOTE, advice=("Enter package names in the form.",))
        )
    on_step("planning")
    plan = make_plan(*requirements)
    if plan.verdict is PlanVerdict.SATISFIED and plan.ok:
        return PackageStep(_show_plan(plan, "Nothing needs to be added", Tone.GOOD))
    if plan.verdict in (PlanVerdict.ISOLATED, PlanVerdict.INFEASIBLE):
        return PackageStep(
            _show_plan(plan, "This does not fit into the kernel", Tone.WARN, _offer_worker(plan))
        )
    if plan.verdict is PlanVerdict.UNKNOWN:
        return PackageStep(_show_plan(plan, "No complete plan could be made", Tone.WARN, _offer_ways(plan)))
    if setting is InstallSwitch.NEVER:
        advice = (
            "`install` is set to never. To add the packages, set it to auto or ask, and run the cell again.",
        )
        return PackageStep(_show_plan(plan, "Planned, and nothing was added", Tone.NOTE, advice))
    if setting is InstallSwitch.ASK or not plan.ok:
        reason = _CONSENT.get(plan.verdict, "" if plan.ok else _AGED)
        advice = (f"{reason} To go ahead, run  session.confirm()  in a cell.".strip(),)
        return PackageStep(_show_plan(plan, "Planned; your confirmation is needed", Tone.WARN, advice), plan)
    return PackageStep(carry_out_plan(plan, on_step))


def carry_out_plan(plan: Plan, on_step: Callable[[str], None]) -> Box:
    """Add what a plan asks for, with the consent that it needs.

    Raises:
        TierproofError: it could not be carried out; nothing was changed then.
    """
    before = read_gpu_memory()
    receipt = install_packages(
        *plan.requested,
        allow_shadow=plan.verdict is PlanVerdict.SHADOW,
        allow_aged=bool(plan.aged),
        waive=tuple({item.package for item in plan.conflicts}) if plan.verdict is PlanVerdict.WAIVER else (),
        on_step=on_step,
    )
    return _show_receipt(receipt, compare_gpu_memory(before, read_gpu_memory()))


def _show_receipt(receipt: Receipt, memory: Sequence[str]) -> Box:
    healthy = doctor().healthy
    lines = [
        f"Done in {receipt.duration_s:.1f} s, without a restart."
        if not receipt.restart_needed
        else "New processes see the packages; this kernel sees them after a restart.",
        "No installed file changed, and every loaded package matches its files on disk."
        if healthy
        else "A loaded package is torn (another version in memory than on disk): run tp.doctor() to see which.",
        *memory,
        *receipt.notes,
    ]
    if receipt.session_only:
        lines.append("The packages are available in this kernel only. Run this cell again after a restart.")
    names = [f"{item.name} {item.version}" for item in receipt.added]
    title = (
        f"Added {', '.join(names[:_MOST_ROWS])}"
        if receipt.changed and names
        else "Everything was installed already"
    )
    more = f" and {len(names) - _MOST_ROWS} more" if len(names) > _MOST_ROWS else ""
    return Box(f"{title}{more}.", Tone.GOOD if healthy else Tone.BAD, tuple(lines))


def _show_plan(plan: Plan, title: str, tone: Tone, advice: tuple[str, ...] = ()) -> Box:
    place = "is added in the worker only" if plan.verdict is PlanVerdict.ISOLATED else "is added"
    rows = [(item.name, item.version, place, _describe_bytes(item.bytes)) for item in plan.add]
    rows += [(item.name, item.version, f"is used instead of {item.base}", "") for item in plan.shadows]
    rows += [
        (
            item.package,
            item.required,
            f"{item.installed} is installed; {item.required_by} needs another version",
            "",
        )
        for item in plan.conflicts
    ]
    rows += [(item.name, item.version, f"is old: {item.latest} is the latest", "") for item in plan.aged]
    lines = [plan.explanation[:1].upper() + plan.explanation[1:]] if plan.explanation else []
    if len(rows) > _MOST_ROWS:
        lines.append(f"{len(rows) - _MOST_ROWS} more packages are not shown.")
    return Box(
        f"{title}: {' '.join(plan.requested)}",
        tone,
        tuple(lines),
        titles=_TITLES if rows else (),
        rows=tuple(rows[:_MOST_ROWS]),
        advice=advice,
    )


def _offer_worker(plan: Plan) -> tuple[str, ...]:
    if plan.verdict is PlanVerdict.INFEASIBLE:
        return (f"{NO_COMBINATION}.",)
    call = spell_worker_call(plan.requested)
    return (f"Code that needs it can run in a worker, a separate process with its own versions:\n{call}",)


def _offer_ways(plan: Plan) -> tuple[str, ...]:
    return tuple(f"{way.text}\n{way.line}" for way in list_ways(plan) if way.line)


def _describe_bytes(count: int) -> str:
    return f"{count / 1e6:.1f} MB" if count else "unknown"

"""What to do instead of a command that was stopped."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from tierproof.api.packages.install_options import read_requirements
from tierproof.core.credentials import hide_credentials
from tierproof.errors import TierproofError, UsageError
from tierproof.extension.stopped import InstallStopped, describe_stop
from tierproof.guard.commands.pip_command import Action
from tierproof.guard.commands.requirement_lines import RequirementLines, read_requirement_lines
from tierproof.guard.foresee.foreseen import Foreseen
from tierproof.guard.foresee.name_requests import name_requests
from tierproof.guard.judge.plan import Plan
from tierproof.guard.judge.ways import ALLOW_CELL, KEEP_LOADED, Way, list_ways

_SHOWN = 12
_SHARE = 3  # a plan takes several resolutions


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
    hint: list[str] = []
    plan = None
    for each in harmful:
        advice = advise(each, limit_s)
        plan = plan or advice.plan
        hint += [*_describe(each), *advice.lines]
    message = describe_stop("the command", harmful)
    return InstallStopped(message, hint="\n".join([*hint, ALLOW_CELL]), foreseen=harmful, plan=plan)


def advise(foreseen: Foreseen, limit_s: float) -> Advice:
    """Work out how the same request is served without changing what is loaded."""
    command = foreseen.command
    if command.action is not Action.INSTALL:
        return Advice((KEEP_LOADED,))
    try:
        requests, files = _gather(foreseen)
        from tierproof.api.packages.plan import plan as make_plan

        plan = make_plan(*requests, *read_requirements((), files), limit_s=limit_s / _SHARE)
    except TierproofError as error:
        return Advice((f"No alternative could be planned: {error.message}",))
    except Exception as error:  # noqa: BLE001 - told; that the command does harm is known all the same
        return Advice((f"No alternative could be planned: {type(error).__name__}: {error}",))
    return Advice(tuple(line for way in list_ways(plan, requests, files) for line in _show(way)), plan)


def _gather(foreseen: Foreseen) -> tuple[list[str], list[str]]:
    """Return the requirements to ask tierproof for, and the requirements files that it can read as they are."""
    command = foreseen.command
    requests, files = name_requests(foreseen), []
    for name in command.requirement_files:
        path = os.path.normpath(os.path.join(command.folder, name))  # noqa: PTH118 - as typed
        try:
            read_requirements((), [path])
        except UsageError:  # it holds options of pip: what it asks for is spelled out
            lines = RequirementLines()
            read_requirement_lines(Path(path), lines)
            requests += [text for text, _ in lines.requirements]
        else:
            files.append(path)
    requests += list(command.editables)
    if not requests and not files:
        raise UsageError("the command names no requirement")
    return requests, files


def _show(way: Way) -> list[str]:
    lines = [f"{way.text}  {way.line}".rstrip() if way.text == "Instead:" else way.text]
    if way.line and way.text != "Instead:":
        lines.append(f"  {way.line}")
    return [*lines, f"  {way.reason}"] if way.reason else lines


def _describe(foreseen: Foreseen) -> list[str]:
    lines = [f"  {hide_credentials(foreseen.command.text)}"]
    lines += [f"    ! {change.describe()}   loaded" for change in foreseen.harms]
    others = [f"    ~ {change.describe()}" for change in foreseen.changes if not change.loaded]
    others += [f"    + {added}" for added in foreseen.added]
    lines += others[:_SHOWN]
    if len(others) > _SHOWN:
        lines.append(f"    … and {len(others) - _SHOWN} more")
    return [*lines, *([f"    ({foreseen.unforeseen})"] if foreseen.unforeseen else [])]

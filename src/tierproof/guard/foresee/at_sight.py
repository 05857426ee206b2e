"""What a command's options alone tell: that it is harmless, or that it cannot be worked out."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass

from tierproof.guard.capture.base import Base
from tierproof.guard.commands.gap import Gap, GapReason
from tierproof.guard.commands.pip_command import Action, PipCommand, Program
from tierproof.guard.foresee.target_interpreter import (
    changes_other_environment,
    names_other_environment,
)
from tierproof.guard.system.search_path import read_search_path

# Where the packages of a hosted image lie: what is installed below it goes beside them.
_SYSTEM = "/usr"


@dataclass(frozen=True, slots=True)
class Sight:
    """Why a command is harmless, or its gap; both empty if it must be worked out."""

    harmless: str = ""
    gap: Gap | None = None


def judge_at_sight(command: PipCommand, base: Base, variables: Mapping[str, str]) -> Sight:
    """Judge by options.

    Args:
        command: as read.
        base: this interpreter, or one on another machine.
        variables: that the command would run with.
    """
    if not command.changes_packages:
        return Sight("the command changes no installed package")
    if base.platform:
        other = names_other_environment(command, base.python)
    else:
        other = changes_other_environment(command, variables)
    if other:
        return Sight(f"the command changes another environment, {other}")
    if command.program is Program.CONDA:
        return Sight(
            gap=Gap(GapReason.CONDA, command.text, "tierproof cannot predict what conda would change")
        )
    if command.elsewhere:
        return _judge_folder(command, base)
    if command.action is Action.SYNC:
        reason = "tierproof cannot predict what uv would change in a project environment"
        return Sight(gap=Gap(GapReason.SYNC, command.text, reason))
    return Sight()


def _judge_folder(command: PipCommand, base: Base) -> Sight:
    reason = f"tierproof cannot predict what an install into {command.elsewhere}, which is on sys.path, would replace"
    gap = Gap(GapReason.FOLDER, command.text, reason)
    if base.platform:
        folder = os.path.normpath(command.elsewhere)
        if folder == _SYSTEM or folder.startswith(f"{_SYSTEM}/"):
            return Sight(gap=gap)
        return Sight(f"the command installs into the separate folder {command.elsewhere}")
    folder = os.path.realpath(os.path.join(command.folder, os.path.expanduser(command.elsewhere)))  # noqa: PTH111, PTH118
    if any(os.path.realpath(entry or ".").startswith(folder) for entry in read_search_path()):
        return Sight(gap=gap)
    return Sight(
        f"the command installs into {command.elsewhere}, which is not on the sys.path of this process"
    )

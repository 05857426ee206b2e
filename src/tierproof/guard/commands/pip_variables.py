"""pip's options that are given as variables: `PIP_REQUIREMENT=file` stands for `-r file`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tierproof.guard.commands.pip_command import PipCommand

_ON = frozenset({"1", "y", "yes", "t", "true", "on"})
_FLAGS = {
    "PIP_UPGRADE": "upgrade",
    "PIP_FORCE_REINSTALL": "force_reinstall",
    "PIP_IGNORE_INSTALLED": "force_reinstall",
    "PIP_NO_DEPS": "no_deps",
    "PIP_PRE": "prereleases",
    "PIP_USER": "user",
}
_LISTS = {
    "PIP_REQUIREMENT": "requirement_files",
    "PIP_CONSTRAINT": "constraint_files",
    "PIP_EDITABLE": "editables",
}


def apply_pip_variables(command: PipCommand, variables: Mapping[str, str]) -> PipCommand:
    """Add to an install of pip what `variables` say; a command of another program comes back as it is."""
    if command.program.value != "pip" or command.action.value != "install":
        return command
    changes: dict[str, object] = {}
    for name, attribute in _FLAGS.items():
        if variables.get(name, "").lower() in _ON:
            changes[attribute] = True
    for name, attribute in _LISTS.items():
        if variables.get(name):
            changes[attribute] = (*getattr(command, attribute), *variables[name].split())
    folder = variables.get("PIP_TARGET") or variables.get("PIP_PREFIX") or variables.get("PIP_ROOT") or ""
    if folder and not command.elsewhere:
        changes["elsewhere"] = folder
    if variables.get("PIP_DRY_RUN", "").lower() in _ON:
        changes["action"] = type(command.action)("other")
    return _replace(command, changes) if changes else command


def _replace(command: PipCommand, changes: Mapping[str, object]) -> PipCommand:
    import dataclasses

    return dataclasses.replace(command, **changes)  # type: ignore[arg-type]

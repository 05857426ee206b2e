"""The repositories that a notebook clones, by the folder that each goes to."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path

from tierproof.guard.commands.pip_command import PipCommand
from tierproof.guard.commands.shell_script import ProgramCall


@dataclass(slots=True)
class ClonedFolders:
    """Addresses by folder.

    Attributes:
        addresses: the address of each repository, by the folder that it was cloned to.
    """

    addresses: dict[Path, str] = field(default_factory=dict)

    def note(self, call: ProgramCall, locate: Callable[[str], Path]) -> None:
        """Note what a program clones.

        Args:
            call: any program.
            locate: gives the path of a file by its name where that program runs.
        """
        if call.words[:2] != ("git", "clone"):
            return
        operands = [word for word in call.words[2:] if not word.startswith("-")]
        address = next((word for word in operands if "://" in word), "")
        if address:
            name = operands[-1] if operands[-1] != address else address.rstrip("/").rpartition("/")[2]
            self.addresses[locate(name.removesuffix(".git"))] = address

    def put_in(self, command: PipCommand, locate: Callable[[str], Path]) -> PipCommand:
        """Return a command with the address of a repository in place of the folder that it was cloned to.

        A bare name is a package of the index to pip and uv, even where a folder of that name lies; behind `-e` it is
        that folder.
        """

        def find(word: str) -> str:
            path = locate(word.partition("[")[0])
            address = self.addresses.get(path) if not path.exists() and "://" not in word else None
            return word if address is None else f"git+{address}"

        return replace(
            command,
            requirements=tuple(
                find(word) if "/" in word or word.startswith(".") else word for word in command.requirements
            ),
            editables=tuple(map(find, command.editables)),
        )

"""The notebooks of the benchmark: where each is published, and the commands that a person reads off it."""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from pathlib import Path

LIST = Path(__file__).with_name("notebooks.toml")


@dataclass(frozen=True)
class Notebook:
    """A published notebook.

    Attributes:
        field: of science or work.
        repository: owner and name on GitHub.
        commit: that it was read at.
        path: in the repository.
        commands: what of pip runs there on the image, in order, read off by a person; a line that starts with `?`
            installs something that pip alone does not tell.
        note: why nothing runs, or less than is written.
    """

    field: str
    repository: str
    commit: str
    path: str
    commands: tuple[str, ...]
    note: str = ""

    @property
    def name(self) -> str:
        """Its name in tables and files."""
        return f"{self.repository}/{self.path}"

    @property
    def file_name(self) -> str:
        """Its name in the folder of texts."""
        return f"{self.repository.replace('/', '__')}__{self.path.replace('/', '__')}"

    @property
    def address(self) -> str:
        """Where its text is published."""
        return f"https://raw.githubusercontent.com/{self.repository}/{self.commit}/{self.path}"


def read_notebooks(path: Path = LIST) -> list[Notebook]:
    """Read the list."""
    with path.open("rb") as file:
        document = tomllib.load(file)
    return [Notebook(**{**each, "commands": tuple(each["commands"])}) for each in document["notebook"]]

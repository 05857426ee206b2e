"""Compare what preflight says of a notebook with the truth."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any

from public_notebooks.notebook import Notebook

_REPLACING = ("shadow", "waiver", "isolated")
_OPEN = ("the repository", "the project folder", "the index")


@dataclass(frozen=True)
class Comparison:
    """One notebook: what was foreseen, and what is true.

    Attributes:
        notebook: it.
        foreseen: the headline, in the truth's words.
        true: the truth's headline.
        missed: packages that pip replaces and preflight does not name.
        invented: packages that preflight names and pip does not replace.
        untold: packages that preflight names where a repository or project folder is installed: by the last release
            of the same name it would replace them, but no truth was worked out of it.
        versions: packages that both name, with another version.
        loaded: of `missed` and `invented`, those that count as loaded.
        silent: gaps of the truth, where preflight tells of none.
        seconds: that the answer took.
        agreed: packages that both name.
    """

    notebook: Notebook
    foreseen: str
    true: str
    missed: tuple[str, ...]
    invented: tuple[str, ...]
    untold: tuple[str, ...]
    versions: tuple[str, ...]
    loaded: tuple[str, ...]
    silent: tuple[str, ...]
    seconds: float
    agreed: int

    @property
    def is_headline_right(self) -> bool:
        """Whether the headlines are the same."""
        return self.foreseen == self.true

    @property
    def is_replaced_right(self) -> bool:
        """Whether both name the same packages."""
        return not self.missed and not self.invented


def compare(
    notebook: Notebook, document: Mapping[str, Any], truth: Mapping[str, Any], loaded: Collection[str]
) -> Comparison:
    """Compare.

    Args:
        notebook: it.
        document: the JSON of `tierproof preflight`.
        truth: as `Truth.to_dict` gives it.
        loaded: names of the packages that count as loaded.
    """
    result = document["results"][0]
    foreseen = {item["name"]: item["version"] for item in result["replaced_by_pip"]}
    true = truth["replaced"]
    missed, invented = sorted(true.keys() - foreseen.keys()), sorted(foreseen.keys() - true.keys())
    untold: list[str] = []
    if any(gap.startswith(_OPEN) for gap in truth["gaps"]):
        invented, untold = untold, invented
    both = foreseen.keys() & true.keys()
    return Comparison(
        notebook=notebook,
        foreseen="replaces" if result["verdict"] in _REPLACING else result["verdict"],
        true=truth["headline"],
        missed=tuple(missed),
        invented=tuple(invented),
        untold=tuple(untold),
        versions=tuple(sorted(name for name in both if foreseen[name] != true[name])),
        loaded=tuple(name for name in (*missed, *invented) if name in loaded),
        silent=tuple(truth["gaps"]) if not result["not_worked_out"] else (),
        seconds=document["duration_s"],
        agreed=len(both),
    )

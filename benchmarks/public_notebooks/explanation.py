"""Why preflight and the truth differ on a notebook, as a reader of both judges it."""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from pathlib import Path

FILE = Path(__file__).with_name("explanations.toml")
FAULTS = ("preflight", "truth", "neither")


@dataclass(frozen=True)
class Explanation:
    """One disagreement, judged.

    Attributes:
        notebook: its name.
        fault: whose it is: `preflight` is wrong, the `truth` is, or `neither`, where both answers are valid.
        why: in a sentence.
    """

    notebook: str
    fault: str
    why: str


def read_explanations(path: Path = FILE) -> dict[str, Explanation]:
    """Read them, by the name of the notebook."""
    if not path.exists():
        return {}
    with path.open("rb") as file:
        entries = tomllib.load(file).get("explanation", [])
    return {each["notebook"]: Explanation(**each) for each in entries}

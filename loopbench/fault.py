"""A planted fault: one small, readable patch of a sound loop's source."""

from __future__ import annotations

import difflib
from dataclasses import dataclass
from pathlib import Path

_FOLDER = Path(__file__).resolve().parent


@dataclass(frozen=True)
class Fault:
    """One planted fault.

    Attributes:
        name: unique among all faults.
        loop: the file in `loops/` that is patched.
        changes: (old, new) texts; each old one occurs exactly once in the loop.
        lines: pieces of the lines that may be named for it, as they stand in the patched source.
        names: parameters, modules or parts that may be named in place of a line.
        realism: how the fault comes about in practice.
        reference: where it was seen; empty where it is a common slip.
        kind: its class; set by `load_faults` from the file that it stands in.
    """

    name: str
    loop: str
    changes: tuple[tuple[str, str], ...]
    lines: tuple[str, ...]
    names: tuple[str, ...]
    realism: str
    reference: str = ""
    kind: str = ""

    def read_source(self) -> str:
        """The loop's source with the fault in it.

        Raises:
            ValueError: an old text does not occur exactly once, or a line that may be named is not in the source.
        """
        source = read_loop(self.loop)
        for old, new in self.changes:
            if source.count(old) != 1:
                raise ValueError(
                    f"{self.name}: {old!r} occurs {source.count(old)} times in loops/{self.loop}.py"
                )
            source = source.replace(old, new)
        missing = [line for line in self.lines if line not in source]
        if missing:
            raise ValueError(f"{self.name}: {missing[0]!r} is not in the patched source")
        return source

    def describe(self) -> str:
        """The patch as a unified diff without its header."""
        lines = difflib.unified_diff(
            read_loop(self.loop).splitlines(), self.read_source().splitlines(), lineterm="", n=1
        )
        return "\n".join(list(lines)[2:])


def read_loop(name: str) -> str:
    """The source of a sound loop that faults are planted in."""
    return (_FOLDER / "loops" / f"{name}.py").read_text(encoding="utf-8")


def list_sound() -> tuple[tuple[str, str], ...]:
    """(name, source) of every sound loop: the hosts of faults, and those in other styles."""
    paths = [*sorted((_FOLDER / "loops").glob("*.py")), *sorted((_FOLDER / "sound").glob("*.py"))]
    return tuple((path.stem, path.read_text(encoding="utf-8")) for path in paths if path.stem != "__init__")

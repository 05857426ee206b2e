"""Write the index of rooms in ARCHITECTURE.md from the docstrings of the packages.

`python scripts/write_room_index.py` writes it; with `--check` it writes nothing and fails when it differs.
"""

from __future__ import annotations

import ast
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
PACKAGE = ROOT / "src" / "tierproof"
DOCUMENT = ROOT / "ARCHITECTURE.md"
BEGIN, END = "<!-- rooms: begin -->", "<!-- rooms: end -->"


def list_rooms() -> list[Path]:
    """Every folder of the package that holds code, outer ones before the rooms inside them."""
    return sorted(path.parent for path in PACKAGE.rglob("__init__.py") if path.parent != PACKAGE)


def read_sentence(room: Path) -> str:
    """The first line of a package's docstring.

    Raises:
        ValueError: the package has none.
    """
    source = (room / "__init__.py").read_text(encoding="utf-8")
    docstring = ast.get_docstring(ast.parse(source))
    if not docstring:
        raise ValueError(f"{room.relative_to(ROOT)}/__init__.py needs one sentence that says what is in it")
    return docstring.splitlines()[0]


def render_index() -> str:
    """One line for each room: a bullet for each package, indented by its depth."""
    lines = []
    for room in list_rooms():
        place = room.relative_to(PACKAGE)
        indent = "  " * (len(place.parts) - 1)
        lines.append(f"{indent}- `{place.as_posix()}/` {read_sentence(room)}")
    return "\n".join(lines)


def main() -> int:
    """Write the index, or with `--check` tell whether it differs; 1 when it does."""
    before = DOCUMENT.read_text(encoding="utf-8")
    head, _, rest = before.partition(BEGIN)
    _, _, tail = rest.partition(END)
    after = f"{head}{BEGIN}\n\n{render_index()}\n\n{END}{tail}"
    if after == before:
        return 0
    if "--check" in sys.argv[1:]:
        print("ARCHITECTURE.md differs: run scripts/write_room_index.py")
        return 1
    DOCUMENT.write_text(after, encoding="utf-8")
    print("wrote ARCHITECTURE.md")
    return 0


if __name__ == "__main__":
    sys.exit(main())

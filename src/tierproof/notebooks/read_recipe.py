"""Read a recipe from its source: Python in percent format, with includes and placeholders."""

from __future__ import annotations

import re
from collections.abc import Iterator
from importlib.resources import files

from tierproof._version import __version__
from tierproof.core.addresses import FEEDBACK, TROUBLESHOOTING, colab_address, kaggle_address
from tierproof.notebooks.deployment_checklist import CHECKLIST
from tierproof.notebooks.recipe import Cell, CellKind, Recipe

NAMES = ("validate", "quickstart", "rescue")
_MARK = re.compile(r"# %%(?P<markdown> \[markdown\])? id=(?P<id>[a-z_]+)(?P<form> form)?\Z")
_INCLUDE = re.compile(r"# include: (?P<name>[a-z_]+)\Z")
_PLACEHOLDER = re.compile(r"\{(version|badges|feedback|troubleshooting|checklist|validate)\}")


def read_recipes() -> tuple[Recipe, ...]:
    """Read every recipe."""
    return tuple(read_recipe(name) for name in NAMES)


def read_recipe(name: str) -> Recipe:
    """Read the recipe of that name.

    Raises:
        ValueError: its source is not in percent format, or gives an id twice.
    """
    cells: list[Cell] = []
    for mark, lines in _split(_read_source(name)):
        kind = CellKind.MARKDOWN if mark["markdown"] else CellKind.CODE
        body = _strip_comments(lines) if kind is CellKind.MARKDOWN else list(_include(lines))
        source = _fill("\n".join(body).strip("\n"), name)
        if any(cell.id == mark["id"] for cell in cells):
            raise ValueError(f"{name}.py: two cells have the id {mark['id']!r}")
        cells.append(Cell(mark["id"], kind, source, bool(mark["form"])))
    return Recipe(name, tuple(cells))


def _read_source(name: str) -> str:
    return (files("tierproof.notebooks") / "recipes" / f"{name}.py").read_text(encoding="utf-8")


def _split(text: str) -> Iterator[tuple[re.Match[str], list[str]]]:
    mark: re.Match[str] | None = None
    lines: list[str] = []
    for line in text.splitlines():
        found = _MARK.match(line)
        if found is None:
            if line.startswith("# %%") or (mark is None and line.strip()):
                raise ValueError(
                    f"invalid cell header {line!r}: write `# %% id=NAME` or `# %% [markdown] id=NAME`"
                )
            lines.append(line)
            continue
        if mark is not None:
            yield mark, lines
        mark, lines = found, []
    if mark is not None:
        yield mark, lines


def _strip_comments(lines: list[str]) -> list[str]:
    return [line.removeprefix("#").removeprefix(" ") for line in lines]


def _include(lines: list[str]) -> Iterator[str]:
    for line in lines:
        if found := _INCLUDE.match(line):
            yield from _read_source(found["name"]).rstrip("\n").splitlines()
        else:
            yield line


def _fill(source: str, name: str) -> str:
    values = {
        "version": __version__,
        "badges": _make_badges(name),
        "feedback": FEEDBACK,
        "troubleshooting": TROUBLESHOOTING,
        "validate": colab_address("validate"),
        "checklist": format_checklist(),
    }
    return _PLACEHOLDER.sub(lambda found: values[found[1]], source)


def format_checklist() -> str:
    """The checklist as a comment, which a reader of the notebook does not see."""
    items = "\n".join(f"[ ] {item.text}" for item in CHECKLIST)
    return f"<!-- Before it is deployed (tierproof notebook check verifies each of these):\n{items}\n-->"


def _make_badges(name: str) -> str:
    return (
        f"[![Open in Colab](https://colab.research.google.com/assets/colab-badge.svg)]({colab_address(name)}) "
        f"[![Open in Kaggle](https://kaggle.com/static/images/open-in-kaggle.svg)]({kaggle_address(name)})"
    )

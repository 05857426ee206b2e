"""Form fields of a cell: lines that Colab shows as a form, and plain assignments everywhere else."""

from __future__ import annotations

import ast
import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from tierproof.errors import UsageError

_FIELD = re.compile(r"(?P<name>[a-z_]\w*) = (?P<value>.+?)  # @param (?P<kind>\[.*\]|\{.*\})\Z")
_KEY = re.compile(r"([{,]\s*)(\w+)(\s*:)")
_TYPES = ("string", "boolean", "number", "integer", "raw", "date")


@dataclass(frozen=True, slots=True)
class FormField:
    """One field: a name, its value, and what Colab offers; `problem` says why Colab could not read it."""

    name: str
    value: Any
    choices: tuple[str, ...] = ()
    problem: str = ""


def find_fields(source: str) -> Iterator[FormField]:
    """Yield the fields of a cell."""
    for line in source.splitlines():
        if "@param" in line:
            yield _read(line)


def set_fields(source: str, values: Mapping[str, Any]) -> str:
    """Give the source with other values in its fields."""
    lines = []
    for line in source.splitlines():
        found = _FIELD.match(line)
        if found and found["name"] in values:
            start, end = found.span("value")
            line = f"{line[:start]}{values[found['name']]!r}{line[end:]}"  # noqa: PLW2901 - the same line, filled in
        lines.append(line)
    return "\n".join(lines)


def fill_form(notebook: Mapping[str, Any], values: Mapping[str, Any]) -> None:
    """Fill the fields of a notebook's cells in place.

    Raises:
        UsageError: no cell has a field of that name.
    """
    cells = [cell for cell in notebook["cells"] if cell["cell_type"] == "code"]
    known = {field.name for cell in cells for field in find_fields(cell["source"])}
    if unknown := [name for name in values if name not in known]:
        raise UsageError(
            f"no cell has a field {unknown[0]!r}",
            hint=f"Use one of: {', '.join(sorted(known)) or '(no fields)'}.",
        )
    for cell in cells:
        cell["source"] = set_fields(cell["source"], values)


def _read(line: str) -> FormField:
    found = _FIELD.match(line)
    if found is None:
        return FormField(line.partition("=")[0].strip(), None, problem=f"{line!r} is not a valid form field")
    try:
        value = ast.literal_eval(found["value"])
        kind = json.loads(_KEY.sub(r'\1"\2"\3', found["kind"]))
    except ValueError as error:
        return FormField(found["name"], None, problem=f"{line!r} cannot be read: {error}")
    if isinstance(kind, list):
        problem = "" if value in kind else f"{value!r} is not one of the choices of {found['name']}"
        return FormField(found["name"], value, tuple(map(str, kind)), problem)
    known = kind.get("type") in _TYPES
    return FormField(
        found["name"], value, problem="" if known else f"{found['name']} has no type that Colab knows"
    )

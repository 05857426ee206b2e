"""The judgements of errors and warnings, made by reading the code of the model."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, get_args

JUDGEMENTS = Path(__file__).with_name("judgements.toml")
Ruling = Literal["right", "wrong", "noise"]


@dataclass(frozen=True)
class Judgement:
    """What reading the model's code says of one finding.

    Attributes:
        ruling: `right` (the model does what the finding says, and its author would want to know), `wrong` (it does
            not), `noise` (it does, and rightly so: the finding asks its author for nothing).
        why: one sentence.
        at: file of the package and line.
    """

    ruling: Ruling
    why: str
    at: str


def read_judgements(path: Path = JUDGEMENTS) -> dict[tuple[str, str], Judgement]:
    """The judgement of each (case, code of the finding).

    Raises:
        ValueError: an entry is incomplete, has an unknown ruling, or judges the same finding twice.
    """
    found: dict[tuple[str, str], Judgement] = {}
    for entry in tomllib.loads(path.read_text(encoding="utf-8")).get("judgement", []):
        for case in _list(entry, "cases"):
            for code in _list(entry, "codes"):
                if (case, code) in found:
                    raise ValueError(f"{path.name} judges {code} of {case} twice")
                found[case, code] = _read(entry, f"{code} of {case}")
    return found


def _list(entry: Mapping[str, Any], key: str) -> list[str]:
    value = entry.get(key)
    if not isinstance(value, list) or not value:
        raise ValueError(f"a judgement needs a list `{key}`: {dict(entry)}")
    return value


def _read(entry: Mapping[str, Any], what: str) -> Judgement:
    ruling, why, at = (entry.get(key, "") for key in ("ruling", "why", "at"))
    if ruling not in get_args(Ruling) or not why or not at:
        raise ValueError(
            f"the judgement on {what} needs a ruling ({', '.join(get_args(Ruling))}), `why` and `at`"
        )
    return Judgement(ruling, why, at)

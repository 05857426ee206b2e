"""Answers stored by everything that they depend on, except the state of the index.

The index decides how long an answer is fresh: PyPI lets its pages be cached for ten minutes, and other indexes with TLS
are taken to be no quicker; what lies in folders is compared, and of an index without TLS nothing is taken for granted.
An answer for a past date stays true on PyPI, where a release cannot be replaced. An older answer is only used when the
index is not asked or cannot be reached, and then says how old it is.
"""

from __future__ import annotations

import contextlib
import datetime as dt
import hashlib
import json
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from typing import Any

from tierproof.core.atomic_write import write_text_atomically
from tierproof.core.user_folders import find_user_cache_folder
from tierproof.errors import OutputError
from tierproof.guard.judge.plan import Plan
from tierproof.images.judge.image_answer import BroughtPackage, ImageAnswer, PipForecast

_FORMAT = 2
PYPI_FRESH = dt.timedelta(seconds=600)


class AnswerCache:
    """A folder of answers, a file each. What is damaged counts as absent; what cannot be written is left.

    Args:
        folder: in the user's cache folder by default.
    """

    def __init__(self, folder: Path | None = None) -> None:
        self._folder = find_user_cache_folder() / "answers" if folder is None else folder

    def get(self, key: str) -> ImageAnswer | None:
        """Give the kept answer of any age, or None."""
        try:
            document = json.loads(self._locate(key).read_text(encoding="utf-8"))
            return _read(document) if document["format"] == _FORMAT else None
        except (OSError, ValueError, TypeError, KeyError, AttributeError):
            return None

    def put(self, key: str, answer: ImageAnswer) -> None:
        """Keep an answer."""
        document = {
            "format": _FORMAT,
            **answer.to_dict(),
            "brought": [[item.name, item.version, list(item.requires)] for item in answer.brought],
            "left": [[item.name, item.version, list(item.requires)] for item in answer.left],
            "removed": list(answer.removed),
        }
        path = self._locate(key)
        with contextlib.suppress(OSError, OutputError):  # without it the next answer only takes longer
            path.parent.mkdir(parents=True, exist_ok=True)
            write_text_atomically(path, json.dumps(document))

    def _locate(self, key: str) -> Path:
        return self._folder / key[:2] / f"{key[2:]}.json"


def make_key(*parts: object) -> str:
    """Give the name under which an answer is kept: it changes with any of `parts`."""
    return hashlib.sha256(repr((_FORMAT, parts)).encode(errors="surrogateescape")).hexdigest()


def is_fresh(
    answer: ImageAnswer, now: dt.datetime, *, on_pypi: bool, exclude_newer: str, is_public: bool = False
) -> bool:
    """Tell whether an answer may be given again without asking.

    Args:
        answer: as kept.
        now: with its time zone.
        on_pypi: PyPI alone was asked.
        exclude_newer: the date of the question, or empty.
        is_public: indexes over TLS were asked, and folders, which the key tells apart.
    """
    if not (on_pypi or is_public) or not answer.answered_at:
        return False
    try:
        age = now - dt.datetime.fromisoformat(answer.answered_at)
        dated = on_pypi and bool(exclude_newer) and read_instant(exclude_newer) < now - PYPI_FRESH
    except ValueError:
        return False
    return dated or dt.timedelta(0) <= age < PYPI_FRESH


def read_instant(text: str) -> dt.datetime:
    """Read a day or an instant in ISO format; a day counts to its end, as uv takes it, in UTC.

    Raises:
        ValueError: it is not a date.
    """
    instant = dt.datetime.fromisoformat(text)
    if len(text) <= len("2026-01-01"):
        instant += dt.timedelta(days=1)
    return instant if instant.tzinfo else instant.replace(tzinfo=dt.UTC)


def _read(document: dict[str, Any]) -> ImageAnswer:
    return ImageAnswer(
        None if document["plan"] is None else Plan.from_dict(document["plan"]),
        PipForecast.from_dict(document["pip"]),
        str(document["problem"]),
        _read_packages(document["brought"]),
        _read_packages(document["left"]),
        tuple(str(name) for name in document["removed"]),
        str(document["answered_at"]),
        kept=True,
    )


def _read_packages(entries: Iterable[tuple[str, str, list[str]]]) -> tuple[BroughtPackage, ...]:
    return tuple(BroughtPackage(name, version, tuple(requires)) for name, version, requires in entries)


def mark_stale(answer: ImageAnswer, reason: str) -> ImageAnswer:
    """Say in the plan's explanation how old the answer is, and why it was not asked for again."""
    if answer.plan is None:
        return answer
    said = f"{answer.plan.explanation} (Stored answer of {answer.answered_at}: {reason}.)".strip()
    return replace(answer, plan=replace(answer.plan, explanation=said))

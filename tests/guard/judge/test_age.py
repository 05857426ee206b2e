"""How much older a version may be before it is told."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from tierproof.guard.judge.age import is_markedly_older
from tierproof.guard.resolve.lock import LockedPackage

NOW = datetime(2026, 6, 1, tzinfo=UTC)


@pytest.mark.parametrize(
    ("old", "new", "days", "aged"),
    [
        ("1.0", "1.1", 100, False),
        ("1.0", "1.1", 400, True),
        ("1.0", "2.0", 30, False),
        ("1.0", "2.0", 200, True),
        ("2.0", "2.0", 900, False),
        ("1.0", "2.0", None, True),
        ("1.0", "1.9", None, False),
    ],
)
def test_age(old: str, new: str, days: int | None, aged: bool) -> None:
    before = None if days is None else NOW - timedelta(days=days)
    found, newest = LockedPackage("a", old, uploaded=before), LockedPackage("a", new, uploaded=NOW)
    assert is_markedly_older(found, newest) is aged

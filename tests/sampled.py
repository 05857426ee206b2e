"""A sample of a long list of cases for `make test`; all of them for `make test-all`."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import pytest


def sample(cases: Sequence[Any], every: int) -> list[Any]:
    """Each `every`-th case as it is, and the others marked slow."""
    return [case if at % every == 0 else _slow(case) for at, case in enumerate(cases)]


def prefer(cases: Iterable[Any], fast: Iterable[Any]) -> list[Any]:
    """The cases in `fast` as they are, and the others marked slow."""
    chosen = list(fast)
    return [case if case in chosen else _slow(case) for case in cases]


def _slow(case: Any) -> Any:
    values = case if isinstance(case, tuple) else (case,)
    return pytest.param(*values, marks=pytest.mark.slow)

"""How an import trial is parted between two processes."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
from packaging.requirements import Requirement

from tierproof.guard.capture.base import Base
from tierproof.guard.capture.installed import InstalledDistribution
from tierproof.guard.resolve.lock import Lock, LockedPackage
from tierproof.guard.resolve.wheel_metadata import WheelMetadata
from tierproof.guard.stage import trial_parts
from tierproof.guard.stage.trial_parts import part_trial


@pytest.fixture
def base(tmp_path: Path) -> Base:
    def install(name: str, *requires: str) -> InstalledDistribution:
        (tmp_path / name).mkdir()
        (tmp_path / name / "__init__.py").touch()
        return InstalledDistribution(name, "1", tmp_path, tmp_path, requires)

    installed = (install("torch", "numpy"), install("numpy"), install("tqdm"))
    return Base("here", sys.executable, "3.12.1", {}, (str(tmp_path),), installed)


@pytest.fixture(autouse=True)
def two_cores(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(trial_parts, "_count_cores", lambda: 2)


def lock(**requires: str | None) -> Lock:
    """A resolution that holds the base as well; None for what is not known."""
    fetched = [
        LockedPackage(
            name,
            "1",
            known=None
            if lines is None
            else WheelMetadata(tuple(Requirement(each) for each in lines.split()), ""),
        )
        for name, lines in requires.items()
    ]
    return Lock((*fetched, *(LockedPackage(name, "1") for name in ("torch", "numpy", "tqdm"))))


def test_what_belongs_together_is_side_by_side_and_rests_on_its_own_packages(base: Base) -> None:
    resolved = lock(
        captum="torch tqdm", optuna="sqlalchemy alembic tqdm", alembic="sqlalchemy", sqlalchemy=""
    )
    parts = part_trial(resolved, {"captum", "optuna", "alembic", "sqlalchemy"}, base)
    assert parts.order == ("sqlalchemy", "alembic", "optuna", "captum")
    assert parts.warm == (("tqdm",), ("torch", "tqdm"))


def test_a_single_group_and_a_single_core_have_one_process(
    base: Base, monkeypatch: pytest.MonkeyPatch
) -> None:
    parts = part_trial(lock(a="b", b="a numpy"), {"a", "b"}, base)  # a circle
    assert (sorted(parts.order), parts.warm) == (["a", "b"], (("numpy",),))
    assert part_trial(lock(), (), base) == trial_parts.TrialParts((), ((),))
    monkeypatch.setattr(trial_parts, "_count_cores", lambda: 1)
    parts = part_trial(lock(a="numpy", b="tqdm"), {"a", "b"}, base)
    assert (parts.order, parts.warm) == (("a", "b"), (("numpy", "tqdm"),))


def test_what_is_not_known_may_need_everything(base: Base) -> None:
    parts = part_trial(lock(a=None, b=""), {"a", "b"}, base)
    assert (parts.order, parts.warm) == (("b", "a"), (("torch", "tqdm"),))


def test_an_extra_that_was_not_asked_for_is_not_needed(base: Base) -> None:
    known = WheelMetadata((Requirement('torch; extra == "all"'),), "")
    resolved = Lock((*lock(b="tqdm").packages, LockedPackage("a", "1", known=known)))
    parts = part_trial(resolved, {"a", "b"}, base)
    assert (parts.order, parts.warm) == (("a", "b"), ((), ("tqdm",)))

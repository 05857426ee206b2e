"""What a heal left in part is brought to an end, whoever comes next and whatever was done meanwhile."""

from __future__ import annotations

import os
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from tierproof.guard.mend.heal_journal import (
    HealJournal,
    is_alive,
    is_owner_alive,
    make_heal_folder,
    read_journal,
    read_start_ticks,
    write_journal,
)
from tierproof.guard.mend.settle_heals import exchange, settle_heals, settle_if_idle
from tierproof.guard.mend.swap import ForeignChangeError, advance, note_units, retreat
from tierproof.guard.system.environment_folder import find_folder_of_site
from tierproof.guard.system.environment_lock import lock_environment

linux = pytest.mark.skipif(sys.platform != "linux", reason="needs /proc")
GONE = 2**22 + 1


def write(folder: Path, files: dict[str, str]) -> None:
    for name, text in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)


def listing(folder: Path) -> dict[str, str]:
    return {
        path.relative_to(folder).as_posix(): path.read_text() for path in folder.rglob("*") if path.is_file()
    }


OLD = {"p/a": "old", "q": "old", "p-2.dist-info/R": "old"}
NEW = {"p/a": "new", "r": "new", "p-1.dist-info/R": "new"}
UNITS = ("p", "q", "r", "p-1.dist-info", "p-2.dist-info")


@pytest.fixture
def begun(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> tuple[Path, Path, HealJournal]:
    """A site directory, the folder of a heal of a process that is gone, and its journal."""
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "data"))
    root = tmp_path / "site-packages"
    root.mkdir()
    write(root, {**OLD, "p/own": "mine"})
    made = make_heal_folder(root)
    folder = made.rename(root / f".tierproof-heal-{GONE}-7-x")
    write(folder / "stage", NEW)
    units = note_units(root, folder / "stage", UNITS)
    journal = HealJournal("p", "1", "2", GONE, 7, units, tuple(OLD))
    write_journal(folder, journal)
    assert read_journal(folder) == journal
    return root, folder, journal


def move(root: Path, folder: Path, journal: HealJournal, count: int) -> None:
    advance(root, folder / "stage", folder / "aside", journal.units[:count])


@pytest.mark.parametrize("count", range(5))
def test_it_is_undone_where_nobody_needs_it(begun: tuple[Path, Path, HealJournal], count: int) -> None:
    root, folder, journal = begun
    move(root, folder, journal, count)
    (told,) = settle_heals([root])
    assert told == "an interrupted heal of p was undone: 2 is on disk"
    assert listing(root) == {**OLD, "p/own": "mine"}
    assert not folder.exists()
    assert settle_heals([root]) == ()


@linux
@pytest.mark.parametrize("count", range(6))
def test_it_is_finished_where_its_process_lives(begun: tuple[Path, Path, HealJournal], count: int) -> None:
    root, folder, journal = begun
    own = os.getpid()
    write_journal(folder, replace(journal, pid=own, start_ticks=read_start_ticks(own)))
    move(root, folder, journal, count)
    (told,) = settle_heals([root])
    assert told == "an interrupted heal of p was finished: 1 is on disk"
    assert listing(root) == {**NEW, "p/own": "mine"}


def test_it_is_finished_where_all_is_in_place(begun: tuple[Path, Path, HealJournal]) -> None:
    root, folder, journal = begun
    move(root, folder, journal, 5)
    assert "finished" in settle_heals([root])[0]
    assert listing(root) == {**NEW, "p/own": "mine"}


def test_what_somebody_has_installed_since_stays(begun: tuple[Path, Path, HealJournal]) -> None:
    root, folder, journal = begun
    move(root, folder, journal, 1)
    (root / "p/a").unlink()
    (root / "p").rename(root.parent / "gone")
    write(root, {"p/a": "third"})
    assert "another version has been installed" in settle_heals([root])[0]
    assert listing(root)["p/a"] == "third"
    assert listing(root)["p/own"] == "mine"
    assert not folder.exists()


def test_without_a_journal_nothing_was_moved(begun: tuple[Path, Path, HealJournal]) -> None:
    root, folder, _ = begun
    (folder / "journal.json").write_text("{")
    assert settle_heals([root]) == ()
    assert listing(root) == {**OLD, "p/own": "mine"}


@linux
def test_one_at_work_under_another_lock_is_left_alone_and_ones_own_is_not(
    begun: tuple[Path, Path, HealJournal],
) -> None:
    root, folder, _ = begun
    parent = os.getppid()
    folder = folder.rename(root / f".tierproof-heal-{parent}-{read_start_ticks(parent)}-x")
    assert is_owner_alive(folder)
    assert settle_heals([root]) == ()
    own = os.getpid()
    folder.rename(root / f".tierproof-heal-{own}-{read_start_ticks(own)}-x")
    assert "undone" in settle_heals([root])[0]


def test_a_doctor_does_not_wait_for_the_lock(begun: tuple[Path, Path, HealJournal]) -> None:
    root, folder, _ = begun
    with lock_environment(find_folder_of_site(root), limit_s=5):
        assert settle_if_idle([root]) == ()
    assert folder.exists()
    assert len(settle_if_idle([root])) == 1


def test_what_cannot_be_settled_is_said_and_kept(
    begun: tuple[Path, Path, HealJournal], monkeypatch: pytest.MonkeyPatch
) -> None:
    root, folder, journal = begun
    move(root, folder, journal, 2)

    def refuse(*_: object) -> None:
        raise OSError("read-only")

    with monkeypatch.context() as patch:
        patch.setattr(Path, "rename", refuse)
        assert "cannot finish or undo the interrupted heal of p: read-only" in settle_heals([root])[0]
    assert folder.exists()
    assert "undone" in settle_heals([root])[0]


def test_an_exchange_that_cannot_be_undone_at_once_keeps_its_journal(
    begun: tuple[Path, Path, HealJournal], monkeypatch: pytest.MonkeyPatch
) -> None:
    root, folder, journal = begun
    rename, calls = Path.rename, []

    def break_down(self: Path, target: Path) -> Path:
        calls.append(self)
        if len(calls) > 3:
            raise OSError("gone")
        return rename(self, target)

    with monkeypatch.context() as patch:
        patch.setattr(Path, "rename", break_down)
        with pytest.raises(OSError, match="gone"):
            exchange(root, folder, journal)
    assert read_journal(folder) is not None
    assert "undone" in settle_heals([root])[0]
    assert listing(root) == {**OLD, "p/own": "mine"}


def test_a_foreign_change_stops_either_way(begun: tuple[Path, Path, HealJournal]) -> None:
    root, folder, journal = begun
    stage, aside = folder / "stage", folder / "aside"
    (root / "q").unlink()
    with pytest.raises(ForeignChangeError):
        advance(root, stage, aside, journal.units)
    (stage / "r").unlink()
    with pytest.raises(ForeignChangeError):
        retreat(root, stage, aside, journal.units)


@linux
def test_a_process_is_known_by_its_number_and_its_start() -> None:
    own = os.getpid()
    assert is_alive(own, read_start_ticks(own))
    assert not is_alive(own, read_start_ticks(own) + 1)
    assert not is_alive(GONE, 7)
    assert not is_owner_alive(Path(".tierproof-heal-odd"))

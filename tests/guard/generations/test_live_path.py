"""The path of fresh processes: told by a child, and foreseen before an activation."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest

from tierproof.guard.generations import live_path
from tierproof.guard.generations.generation import Position
from tierproof.guard.generations.generation_path_file import PathFiles
from tierproof.guard.generations.generation_store import GenerationStore
from tierproof.guard.generations.install_error import InstallError
from tierproof.guard.generations.live_path import ChildPath, LiveEntry, foresee_path

OLD, NEW = "0" * 20, "1" * 20


def test_a_child_tells_the_path_of_a_fresh_process() -> None:
    code = "import json, sys; print(json.dumps(sys.path))"
    fresh = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    with ChildPath() as child:
        assert list(child.read()) == json.loads(fresh)
        assert child.read() is child.read()


def test_a_child_that_does_not_start_is_an_error_when_it_is_read(tmp_path: Path) -> None:
    for executable in (str(tmp_path / "absent"), "/bin/true"):
        with ChildPath(executable) as child, pytest.raises(InstallError, match=r"cannot read the sys\.path"):
            child.read()


def foresee(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, path: list[str], position: Position, *, new: bool = True
) -> list[str]:
    """What is foreseen, with the folder of the test left out."""
    store = GenerationStore(tmp_path / "store")
    files = PathFiles(tmp_path / "site-packages" / "x.pth", tmp_path / "user" / "x.pth", ())
    monkeypatch.setattr(live_path, "find_path_files", lambda: files)
    present = SimpleNamespace(file=files.behind) if any(OLD in entry for entry in path) else None
    monkeypatch.setattr(live_path, "read_present", lambda *_: present)
    child = SimpleNamespace(read=lambda: tuple(str(tmp_path / entry) for entry in path))
    site = store.site(NEW) if new else None
    found = foresee_path(store, site, position, child)  # type: ignore[arg-type]
    return [str(Path(entry).relative_to(tmp_path)) for entry in found]


@pytest.mark.parametrize(
    ("path", "position", "wanted"),
    [
        (["lib", "site-packages", "more"], Position.BEHIND, ["lib", "site-packages", "NEW", "more"]),
        (["lib", "site-packages", "OLD", "more"], Position.BEHIND, ["lib", "site-packages", "NEW", "more"]),
        (["lib", "user", "site-packages"], Position.FRONT, ["lib", "user", "NEW", "site-packages"]),
        (["lib", "site-packages"], Position.FRONT, ["lib", "user", "NEW", "site-packages"]),
        (["lib", "site-packages", "OLD"], Position.FRONT, ["lib", "user", "NEW", "site-packages"]),
    ],
)
def test_where_the_new_generation_will_stand(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, path: list[str], position: Position, wanted: list[str]
) -> None:
    spelled = {"OLD": f"store/generations/{OLD}/site", "NEW": f"store/generations/{NEW}/site"}
    found = foresee(tmp_path, monkeypatch, [spelled.get(each, each) for each in path], position)
    assert found == [spelled.get(each, each) for each in wanted]


def test_none_at_all_leaves_the_rest(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = ["lib", "site-packages", f"store/generations/{OLD}/site"]
    assert foresee(tmp_path, monkeypatch, path, Position.BEHIND, new=False) == ["lib", "site-packages"]


def test_a_path_that_cannot_be_asked_for_is_told_and_stops_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = GenerationStore(tmp_path)
    monkeypatch.setattr(sys, "path", ["lib", str(store.site(OLD))])
    with ChildPath(str(tmp_path / "absent")) as child:
        entry = LiveEntry(store, store.site(NEW), Position.BEHIND, child)
    (note,) = entry.swap()
    assert "may differ from a new one's" in note
    assert sys.path == ["lib", str(store.site(NEW))]

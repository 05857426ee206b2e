from __future__ import annotations

from pathlib import Path

import pytest

from guard.fake_site import install
from tierproof.guard.capture.record import read_record
from tierproof.guard.mend.heal_error import HealError
from tierproof.guard.mend.site import Site
from tierproof.guard.mend.stage_version import adopt_scripts, stage_version, verify_staged
from tierproof.guard.mend.swap import choose_units, keep_unowned, note_units, swap


def listing(folder: Path) -> dict[str, str]:
    return {
        path.relative_to(folder).as_posix(): path.read_text() for path in folder.rglob("*") if path.is_file()
    }


def write(folder: Path, **files: str) -> Path:
    for name, text in files.items():
        path = folder / name.replace("__", "/")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return folder


def test_units_are_whole_folders_except_where_others_have_files() -> None:
    paths = ["p/a.py", "p/b/c.py", "google/x/y.py", "six.py", "p-1.dist-info/RECORD"]
    assert choose_units(paths, {"google"}) == ("google/x", "p", "six.py", "p-1.dist-info")


def test_swap_puts_everything_in_place(tmp_path: Path) -> None:
    root = write(tmp_path / "root", p__a="old", only="old", stays="here")
    stage = write(tmp_path / "stage", p__a="new", added__b="new")
    swap(root, stage, tmp_path / "aside", note_units(root, stage, ["p", "only", "added"]))
    assert listing(root) == {"p/a": "new", "added/b": "new", "stays": "here"}
    assert listing(tmp_path / "aside") == {"p/a": "old", "only": "old"}


@pytest.mark.parametrize("error", [OSError("disk"), KeyboardInterrupt()])
@pytest.mark.parametrize("failing", [0, 1, 2, 3])
def test_swap_undoes_everything_when_one_rename_fails(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, failing: int, error: BaseException
) -> None:
    root = write(tmp_path / "root", p__a="old", q__a="old")
    stage = write(tmp_path / "stage", p__a="new", q__a="new")
    rename, calls = Path.rename, []

    def rename_or_fail(self: Path, target: Path) -> Path:
        calls.append(self)
        if len(calls) == failing + 1:
            raise error
        return rename(self, target)

    units = note_units(root, stage, ["p", "q"])
    monkeypatch.setattr(Path, "rename", rename_or_fail)
    with pytest.raises(type(error)):
        swap(root, stage, tmp_path / "aside", units)
    assert listing(root) == {"p/a": "old", "q/a": "old"}


def test_files_of_the_users_own_come_back(tmp_path: Path) -> None:
    root = write(tmp_path / "root", p__a="new")
    aside = write(tmp_path / "aside", p__a="old", p__own="mine", p__gone="old")
    (aside / "p/x.pyc").write_text("bytecode")
    keep_unowned(aside, root, {"p/a", "p/gone"})
    assert listing(root) == {"p/a": "new", "p/own": "mine"}


def test_what_was_fetched_is_verified(tmp_path: Path) -> None:
    install(tmp_path, "pack", "1.0", {"pack/__init__.py": "x = 1\n"})
    assert verify_staged("Pack", "1.0", tmp_path).version == "1.0"
    with pytest.raises(
        HealError, match=r"pack 2\.0 was asked for, but the package index delivered pack 1\.0"
    ):
        verify_staged("pack", "2.0", tmp_path)
    (tmp_path / "pack/__init__.py").write_text("x = 2\n")
    with pytest.raises(HealError, match="damaged"):
        verify_staged("pack", "1.0", tmp_path)


def test_record_keeps_the_scripts_that_stay(tmp_path: Path) -> None:
    stage, root = tmp_path / "stage", tmp_path / "root"
    stage.mkdir()
    root.mkdir()
    install(stage, "pack", "1.0", {"pack/__init__.py": "x = 1\n", "bin/pack": "#!"})
    present = install(root, "pack", "2.0", {"pack/__init__.py": "x = 2\n"})
    with (present / "RECORD").open("a") as stream:
        stream.write("../../bin/pack,sha256=abc,3\n")
    staged = Site([stage]).find("pack")
    assert staged is not None
    adopt_scripts(staged, Site([root]).find("pack"))
    paths = [entry.path for entry in read_record(staged.metadata_path)]
    assert "../../bin/pack" in paths
    assert "bin/pack" not in paths
    assert "pack/__init__.py" in paths


def test_what_cannot_be_fetched_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("UV_FIND_LINKS", "UV_INDEX_URL", "UV_DEFAULT_INDEX"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("UV_OFFLINE", "1")
    monkeypatch.setenv("UV_CACHE_DIR", str(tmp_path / "cache"))
    folder = tmp_path / "stage"
    folder.mkdir()
    with pytest.raises(HealError, match=r"colorlog 6\.9\.0 could not be fetched"):
        stage_version("colorlog", "6.9.0", folder)
    assert list(folder.glob("*.dist-info")) == []

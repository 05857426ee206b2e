"""Snapshots over synthetic distributions: what is kept, for how long, and what is done when it was changed."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from guard.fake_site import install
from tierproof.guard.capture.installed import InstalledDistribution
from tierproof.guard.mend import keep_file as keeping
from tierproof.guard.mend.heal_error import HealError
from tierproof.guard.mend.keep_file import Kept, clone_file, keep_file
from tierproof.guard.mend.site import Site
from tierproof.guard.mend.snapshot import find_snapshot_folder, keep_distributions
from tierproof.guard.mend.snapshot_entry import find_entries, lay_out, read_entry
from tierproof.guard.mend.snapshot_process import find_perhaps_loaded
from tierproof.guard.system.environment_folder import find_folder_of_site

SOURCE = Path(__file__).resolve().parents[3] / "src"
FILES = {"pack/__init__.py": "__version__ = '1.0'\ndef f():\n    return 1\n", "pack/late.py": "x = 1\n"}


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "data"))
    monkeypatch.delenv("TIERPROOF_DATA", raising=False)
    folder = tmp_path / "env" / "lib" / "python3.11" / "site-packages"
    folder.mkdir(parents=True)
    install(folder, "pack", "1.0", FILES)
    return folder


def distributions(root: Path) -> list[InstalledDistribution]:
    return list(Site([root]).distributions)


def test_files_are_linked_and_laid_out_again_after_they_were_replaced(root: Path, tmp_path: Path) -> None:
    inode = (root / "pack/late.py").stat().st_ino
    changed = (root / "pack-1.0.dist-info/METADATA").stat().st_ctime_ns
    snapshot = keep_distributions(distributions(root), [os.getpid()])
    (kept,) = snapshot.kept
    assert (kept.package, kept.version, kept.how) == ("pack", "1.0", "link")
    assert (root / "pack-1.0.dist-info/METADATA").stat().st_ctime_ns == changed
    assert snapshot.to_dict()["kept"][0]["files"] == kept.files  # type: ignore[index,call-overload]
    assert "1 distributions" in str(snapshot)
    assert "<p>" in snapshot._repr_html_()
    (root / "pack/late.py").unlink()
    (root / "pack/late.py").write_text("x = 2\n")
    (entry,) = find_entries(find_snapshot_folder(root), "Pack", "1.0")
    stage = tmp_path / "stage"
    stage.mkdir()
    staged = lay_out(entry, stage)
    assert staged.version == "1.0"
    assert (stage / "pack/late.py").stat().st_ino == inode
    assert (stage / "pack/late.py").read_text() == "x = 1\n"


def test_one_that_was_written_in_place_is_refused(root: Path, tmp_path: Path) -> None:
    keep_distributions(distributions(root), [os.getpid()])
    with (root / "pack/late.py").open("w") as stream:
        stream.write("x = 2\n")
    (entry,) = find_entries(find_snapshot_folder(root), "pack", "1.0")
    (tmp_path / "stage").mkdir()
    with pytest.raises(HealError, match="has changed"):
        lay_out(entry, tmp_path / "stage")


def test_what_leaves_its_folder_is_refused(root: Path, tmp_path: Path) -> None:
    keep_distributions(distributions(root), [os.getpid()])
    (entry,) = find_entries(find_snapshot_folder(root), "pack", "1.0")
    manifest = entry.folder / "manifest.json"
    document = json.loads(manifest.read_text())
    document["digests"]["../evil"] = "sha256=x"
    manifest.write_text(json.dumps(document))
    bad = read_entry(entry.folder)
    assert bad is not None
    (tmp_path / "stage").mkdir()
    with pytest.raises(HealError, match="outside"):
        lay_out(bad, tmp_path / "stage")
    assert not (tmp_path / "evil").exists()
    manifest.write_text("{")
    assert read_entry(entry.folder) is None


def test_a_file_that_was_patched_before_is_kept_as_it_is(root: Path, tmp_path: Path) -> None:
    (root / "pack/late.py").write_text("x = 'patched'\n")
    keep_distributions(distributions(root), [os.getpid()])
    (entry,) = find_entries(find_snapshot_folder(root), "pack", "1.0")
    (tmp_path / "stage").mkdir()
    lay_out(entry, tmp_path / "stage")
    assert (tmp_path / "stage/pack/late.py").read_text() == "x = 'patched'\n"


def test_torch_nvidia_editables_and_what_has_no_record_are_left_out_and_named(root: Path) -> None:
    install(root, "torch", "2.0", {"torch/__init__.py": ""})
    install(root, "nvidia-cublas", "1.0", {"nvidia/cublas/x.py": ""})
    editable = install(root, "mine", "0.1", {"__editable__mine.pth": "/src\n"})
    (editable / "direct_url.json").write_text('{"url": "file:///src", "dir_info": {"editable": true}}')
    (install(root, "bare", "1.0", {"bare.py": ""}) / "RECORD").unlink()
    snapshot = keep_distributions(distributions(root), [os.getpid()])
    assert [each.package for each in snapshot.kept] == ["pack"]
    assert set(snapshot.skipped) == {"torch", "nvidia-cublas", "mine", "bare"}
    assert "source folder" in snapshot.skipped["mine"]


def test_the_largest_is_left_out_where_the_limit_is_reached(root: Path) -> None:
    install(root, "large", "1.0", {"large.py": "x" * 5000})
    snapshot = keep_distributions(distributions(root), [os.getpid()], most_bytes=3000)
    assert [each.package for each in snapshot.kept] == ["pack"]
    assert "limit" in snapshot.skipped["large"]


def test_copies_are_taken_where_nothing_else_works_and_limited(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> None:
        raise OSError(18, "Invalid cross-device link")

    monkeypatch.setattr(os, "link", refuse)
    monkeypatch.setattr(keeping, "clone_file", lambda *_: False)
    install(root, "large", "1.0", {"large.py": "x" * 5000, "large_too.py": "y" * 5000})
    snapshot = keep_distributions(distributions(root), [os.getpid()], most_copied_bytes=3000)
    assert [(each.package, each.how) for each in snapshot.kept] == [("pack", "copy")]
    assert "another file system" in snapshot.skipped["large"]


def test_an_entry_lives_as_long_as_a_process_that_asked_for_it(root: Path) -> None:
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as other:
        keep_distributions(distributions(root), [other.pid])
        folder = find_snapshot_folder(root)
        install(root, "second", "1.0", {"second.py": ""})
        second = [each for each in distributions(root) if each.name == "second"]
        keep_distributions(second, [os.getpid()])
        assert find_entries(folder, "pack", "1.0")
        other.communicate(b"\n")
    (folder / ".new-1-left").mkdir()
    again = keep_distributions(second, [os.getpid()])
    assert [each.package for each in again.kept] == ["second"]
    assert find_entries(folder, "pack", "1.0") == ()
    assert sorted(path.name for path in folder.glob(".new*")) == []


def test_nothing_loaded_keeps_nothing() -> None:
    assert keep_distributions([], [os.getpid()]).kept == ()


def test_from_outside_what_has_no_native_library_may_be_loaded(root: Path) -> None:
    install(root, "native", "1.0", {"native/core.so": "x"})
    site = Site([root])
    assert [each.name for each in find_perhaps_loaded(site, [])] == ["pack"]


def test_a_link_is_followed_and_a_clone_is_a_copy_or_nothing(tmp_path: Path) -> None:
    (tmp_path / "real").write_text("x")
    (tmp_path / "link").symlink_to("real")
    assert keep_file(tmp_path / "link", tmp_path / "kept") is Kept.LINK
    assert not (tmp_path / "kept").is_symlink()
    with pytest.raises(FileNotFoundError):
        keep_file(tmp_path / "absent", tmp_path / "other")
    cloned = clone_file(tmp_path / "real", tmp_path / "clone")
    assert (tmp_path / "clone").exists() is cloned


def test_sites_of_other_interpreters_have_folders_of_their_own(root: Path, tmp_path: Path) -> None:
    folder = find_folder_of_site(root)
    assert folder.name.startswith("env-cp311-")
    other = tmp_path / "env" / "lib" / "python3.13" / "site-packages"
    assert find_folder_of_site(other).name.startswith("env-cp313-")
    assert find_folder_of_site(tmp_path / "odd").name.startswith("odd-")


def test_a_local_install_heals_offline_from_the_snapshot(root: Path, tmp_path: Path) -> None:
    (root / "pack-1.0.dist-info" / "direct_url.json").write_text('{"url": "file:///gone/pack.whl"}')
    code = """
import json, shutil, sys
from pathlib import Path
from guard.fake_site import install
import pack, tierproof as tp
root = Path(sys.argv[1])
assert tp.doctor().healthy
names = [each.package for each in tp.snapshot().kept]
assert "pack" in names, names
shutil.rmtree(root / "pack-1.0.dist-info"); shutil.rmtree(root / "pack")
install(root, "pack", "2.0", {"pack/__init__.py": "__version__ = '2.0'\\ndef f():\\n    return 2\\n", "pack/late.py": "x = 2\\n"})
assert not tp.doctor().healthy
healing = tp.heal()
import pack.late
print(json.dumps({"ok": healing.ok, "x": pack.late.x, "left": [p.name for p in root.glob(".tier*")], "said": str(healing)}))
"""
    path = os.pathsep.join([str(root), str(SOURCE), str(Path(__file__).resolve().parents[2])])
    run = subprocess.run(
        [sys.executable, "-c", code, str(root)],
        env={**os.environ, "PYTHONPATH": path, "UV_OFFLINE": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert run.returncode == 0, run.stderr
    told = json.loads(run.stdout)
    assert told["ok"] is True, told
    assert (told["x"], told["left"]) == (1, [])

"""The doctor over synthetic distributions, in processes of their own."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from guard.fake_site import install
from tierproof.guard.capture.owner import Owners, find_stashes, undo_stash
from tierproof.guard.mend.first_sight import (
    FirstSight,
    first_sight_path,
    load_first_sight,
    parse_first_sight,
    save_first_sight,
)
from tierproof.guard.mend.site import Site

SOURCE = Path(__file__).resolve().parents[3] / "src"
OLD = {
    "pack/__init__.py": "__version__ = '1.0'\ndef f():\n    return 1\n",
    "pack/late.py": "def g():\n    return 1\n",
}
NEW = {
    "pack/__init__.py": "__version__ = '2.0'\ndef f():\n    return 2\n",
    "pack/late.py": "def g():\n    return 2\n",
}


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "data"))
    root = tmp_path / "site-packages"
    root.mkdir()
    install(root, "pack", "1.0", OLD)
    install(root, "other-pack", "3.0", {"other_pack.py": "x = 1\n"})
    return root


def run(site: Path, code: str) -> str:
    """Run `code` in a Python that finds `site` first and tierproof's dependencies last."""
    path = os.pathsep.join([str(site), str(SOURCE), str(Path(__file__).resolve().parents[2])])
    result = subprocess.run(
        [sys.executable, "-c", code, str(site)],
        env={**os.environ, "PYTHONPATH": path},
        capture_output=True,
        text=True,
        check=False,
    )
    assert result.returncode == 0, result.stderr
    return result.stdout


def upgrade_under(
    site: Path, *, first: str = "", then: str = "", files: dict[str, str] = NEW
) -> dict[str, Any]:
    """Diagnose a process that runs `first`, has pack upgraded under it, and runs `then`."""
    code = f"""
import json, shutil, sys
from pathlib import Path
from guard.fake_site import install
import tierproof as tp
root = Path(sys.argv[1])
{first}
assert tp.doctor().healthy
shutil.rmtree(root / "pack-1.0.dist-info")
shutil.rmtree(root / "pack")
install(root, "pack", "2.0", {files!r})
import importlib; importlib.invalidate_caches()
{then}
print(json.dumps(tp.doctor().to_dict()))
"""
    return json.loads(run(site, code).splitlines()[-1])  # type: ignore[no-any-return]


def test_a_loaded_pure_package_that_was_upgraded_is_torn(site: Path) -> None:
    (torn,) = upgrade_under(site, first="import pack", then="import pack.late")["torn"]
    assert (torn["package"], torn["loaded_version"], torn["disk_version"]) == ("pack", "1.0", "2.0")
    assert torn["evidence"] == ["version"]
    assert torn["modules"] == ["pack"]


def test_an_upgrade_that_nobody_had_loaded_is_no_tear(site: Path) -> None:
    assert upgrade_under(site)["healthy"] is True


def test_a_package_first_imported_after_its_upgrade_is_whole(site: Path) -> None:
    assert upgrade_under(site, then="import pack, pack.late")["healthy"] is True


def test_without_a_written_version_the_first_sight_tells_the_loaded_one(site: Path) -> None:
    metadata = site / "pack-1.0.dist-info"
    for path in metadata.iterdir():
        path.unlink()
    metadata.rmdir()
    install(site, "pack", "1.0", {"pack/__init__.py": "def f():\n    return 1\n"})
    (torn,) = upgrade_under(
        site, first="import pack", files={"pack/__init__.py": "def f():\n    return 2\n"}
    )["torn"]
    assert (torn["loaded_version"], torn["disk_version"], torn["evidence"]) == ("1.0", "2.0", ["version"])


def test_a_loaded_package_that_is_gone_from_disk_is_torn(site: Path) -> None:
    code = """
import json, shutil, sys
import pack, tierproof as tp
assert tp.doctor().healthy
for name in ("pack", "pack-1.0.dist-info"):
    shutil.rmtree(f"{sys.argv[1]}/{name}")
print(json.dumps(tp.doctor().to_dict()))
"""
    (torn,) = json.loads(run(site, code))["torn"]
    assert (torn["package"], torn["loaded_version"], torn["disk_version"]) == ("pack", "1.0", "")


def diagnose(site: Path) -> dict[str, Any]:
    code = """
import json
from tierproof.guard.mend.doctor import diagnose_environment
print(json.dumps(diagnose_environment().to_dict()))
"""
    return json.loads(run(site, code))  # type: ignore[no-any-return]


def test_damage_after_first_sight_is_named_and_tried(site: Path) -> None:
    assert diagnose(site)["healthy"] is True
    (site / "pack/__init__.py").write_text("import nowhere_to_be_found\n")
    (torn,) = diagnose(site)["torn"]
    assert torn["evidence"] == ["record-mismatch", "import-fails"]
    assert torn["remedy"] == "reinstall"
    assert "nowhere_to_be_found" in torn["detail"]


def test_a_base_that_was_dirty_when_first_seen_is_not_torn(site: Path) -> None:
    (site / "pack/late.py").unlink()
    install(site, "other-pack", "2.9", {})
    first = diagnose(site)
    assert first["healthy"] is True
    assert "other-pack, pack" in " ".join(first["notes"])
    assert diagnose(site)["healthy"] is True
    (site / "pack/__init__.py").write_text("x = 22\n")
    (torn,) = diagnose(site)["torn"]
    assert torn["evidence"] == ["record-mismatch"]
    assert "late" not in torn["detail"]


def test_metadata_of_two_versions_is_named(site: Path) -> None:
    assert diagnose(site)["healthy"] is True
    install(site, "pack", "2.0", NEW)
    (torn,) = diagnose(site)["torn"]
    assert "duplicate-metadata" in torn["evidence"]


def test_an_honest_upgrade_on_disk_is_healthy(site: Path) -> None:
    diagnose(site)
    for path in (site / "pack-1.0.dist-info").iterdir():
        path.unlink()
    (site / "pack-1.0.dist-info").rmdir()
    install(site, "pack", "2.0", NEW)
    assert diagnose(site)["healthy"] is True


def test_first_sight_round_trip_and_anything_else(site: Path, tmp_path: Path) -> None:
    first_sight = FirstSight(
        str(site), 1.5, {"a": "1"}, {"a": ("x",)}, {"a": ("1", "2")}, {"1:2": ("a", "1")}, {"a": 1.0}
    )
    assert parse_first_sight(first_sight.to_json()) == first_sight
    for text in (
        "",
        "{}",
        "[]",
        "null",
        '{"format_version": 9}',
        first_sight.to_json().replace('["a","1"]', "[]"),
    ):
        assert parse_first_sight(text) is None
    assert load_first_sight(site) is None
    assert save_first_sight(first_sight)
    assert load_first_sight(site) == first_sight
    first_sight_path(site).write_text("half-writ")
    assert load_first_sight(site) is None
    (tmp_path / "data/tierproof/baselines").rename(tmp_path / "moved")
    (tmp_path / "data/tierproof/baselines").write_text("a file where a folder should be")
    assert not save_first_sight(first_sight)
    assert Site([site]).find("pack") is not None  # a data folder that cannot be written costs only the memory


def test_owner_and_stash(site: Path) -> None:
    place = Site([site])
    owners = Owners(place.distributions)
    owner = owners.find(site / "pack/late.py")
    assert owner is not None
    assert owner.name == "pack"
    beside = owners.find(site / "pack/sub/unknown.so")
    assert beside is not None
    assert beside.name == "pack"
    assert owners.find(site / "unknown.py") is None
    assert owners.find_by_file_name("late.py") == site / "pack/late.py"
    assert owners.find_by_file_name("absent.so") is None
    assert undo_stash(site / "~ack/late.so", site, ["pack"]) == site / "pack/late.so"
    assert undo_stash(site / "~-ck/late.so", site, ["pack"]) == site / "pack/late.so"
    assert undo_stash(site / "~other/x.so", site, ["pack"]) == site / "~other/x.so"
    assert undo_stash(Path("/else/~ack/x.so"), site, ["pack"]) == Path("/else/~ack/x.so")
    (site / "~ack").mkdir()
    assert find_stashes(site, ["pack"]) == ("~ack",)
    assert place.restore(f"{site}/~ack/x.so") == site / "pack/x.so"
    assert place.restore("/tmp/pip-uninstall-abc/late.py") == site / "pack/late.py"
    assert place.restore("/usr/lib/libc.so.6") is None


def test_what_a_heal_moved_aside_is_found_where_it_was(site: Path) -> None:
    install(site, "spaced", "1.0", {"space/_upb/x.so": "x"})
    moved = f"{os.path.realpath(site)}/.tierproof-heal-1-2-abc/aside/space/~upb/x.so"
    assert Site([site]).restore(moved) == Path(os.path.realpath(site)) / "space/_upb/x.so"

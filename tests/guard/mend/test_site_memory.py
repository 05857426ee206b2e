"""What the doctor remembers between diagnoses, and that nothing goes unseen by it that it was to see."""

from __future__ import annotations

import hashlib
import json
import os
import time
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from guard.fake_site import install
from tierproof.guard.capture.installed import InstalledDistribution
from tierproof.guard.capture.record import read_inventory, read_own_record
from tierproof.guard.mend.site import Site
from tierproof.guard.mend.site_memory import SiteMemory
from tierproof.guard.system.environment_folder import find_folder_of_site

HOUR_NS = 3_600 * 10**9


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "data"))
    folder = tmp_path / "env" / "site-packages"
    folder.mkdir(parents=True)
    install(folder, "pack", "1.0", {"pack/__init__.py": "x = 1\n", "pack/sub/late.py": "x = 1\n"})
    install(folder, "single", "1.0", {"single.py": "x = 1\n"})
    age(folder)
    return folder


def age(folder: Path) -> None:
    """Let everything have been there for an hour."""
    then = time.time_ns() - HOUR_NS
    for path in [*folder.rglob("*"), folder]:
        os.utime(path, ns=(then, then))


def remembered(root: Path) -> Path:
    return find_folder_of_site(root) / "remembered.json"


def look(root: Path, name: str = "pack", *, at_all: bool = False) -> tuple[bool, tuple[str, ...]]:
    """Whether every file had to be looked at, and what was found to be wrong."""
    site = Site([root])
    distribution = site.find(name)
    assert distribution is not None
    whole = site.memory.is_whole(distribution)
    disk = site.examine(name, look_at_all=at_all)
    site.memory.save(site.roots)
    return not whole, disk.mismatches


@pytest.mark.parametrize("name", ["pack", "single"])
def test_a_second_look_finds_the_folders_unchanged(root: Path, name: str) -> None:
    assert look(root, name) == (True, ())
    assert look(root, name) == (False, ())


@pytest.mark.parametrize("change", ["unlink", "replace", "add"])
def test_what_is_removed_replaced_or_added_is_looked_at(root: Path, change: str) -> None:
    look(root)
    path = root / "pack/sub/late.py"
    if change == "unlink":
        path.unlink()
    elif change == "replace":
        other = path.with_name("other")
        other.write_text("x = 2\n")
        other.replace(path)
    else:
        (root / "pack/sub/more.py").write_text("")
    assert look(root) == (True, () if change == "add" else ("pack/sub/late.py",))


def test_a_single_file_that_is_replaced_is_looked_at(root: Path) -> None:
    look(root, "single")
    (root / "single.py").unlink()
    (root / "single.py").write_text("x = 2\n")
    assert look(root, "single") == (True, ("single.py",))


def test_what_is_rewritten_in_place_is_seen_in_a_small_distribution(root: Path) -> None:
    look(root)
    (root / "pack/sub/late.py").write_text("x = 2\n")
    assert look(root) == (True, ("pack/sub/late.py",))


def test_in_a_large_one_it_is_seen_where_all_is_looked_at_and_a_day_later(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    files = {f"large/module_{number}.py": "x = 1\n" for number in range(80)}
    install(root, "large", "1.0", {**files, "large/core.so": "native"})
    age(root)
    look(root, "large")
    (root / "large/module_7.py").write_text("x = 2\n")
    assert look(root, "large") == (False, ())
    assert look(root, "large", at_all=True) == (False, ("large/module_7.py",))
    now = time.time()
    monkeypatch.setattr(time, "time", lambda: now + 90_000)
    assert look(root, "large") == (True, ("large/module_7.py",))
    monkeypatch.setattr(time, "time", lambda: now)
    (root / "large/core.so").write_text("NATIVE")
    assert look(root, "large")[0] is True


def test_a_path_that_the_memory_cannot_hold_is_looked_at_each_time(root: Path) -> None:
    install(root, "barred", "1.0", {"barred/a|b.py": "x = 1\n"})
    age(root)
    assert look(root, "barred") == (True, ())
    assert look(root, "barred") == (True, ())


def test_the_clock_set_back_has_all_looked_at(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    look(root)
    now = time.time()
    monkeypatch.setattr(time, "time", lambda: now - 90_000)
    assert look(root)[0] is True


def test_what_has_just_changed_is_not_taken_as_settled(root: Path) -> None:
    (root / "pack/sub/more.py").write_text("")
    look(root)
    assert look(root)[0] is True


def test_new_metadata_is_read_and_what_is_gone_is_forgotten(root: Path) -> None:
    assert {each.version for each in Site([root]).distributions} == {"1.0"}
    (root / "pack-1.0.dist-info/METADATA").write_text("Metadata-Version: 2.1\nName: pack\nVersion: 1.0.1\n")
    found = Site([root]).find("pack")
    assert found is not None
    assert found.version == "1.0.1"
    for path in (root / "single-1.0.dist-info").iterdir():
        path.unlink()
    (root / "single-1.0.dist-info").rmdir()
    assert Site([root]).find("single") is None
    assert "single" not in remembered(root).read_text()


def test_what_is_remembered_is_the_same_as_what_is_read(root: Path) -> None:
    (root / "pack-1.0.dist-info/METADATA").write_text(
        "Metadata-Version: 2.1\nName: Pack\nVersion: 1.0\nRequires-Dist: single>=1\nRequires-Dist: x; extra == 'y'\n"
    )
    first, second = Site([root]), Site([root])
    assert first.distributions == second.distributions
    found = second.find("pack")
    assert found is not None
    assert found.requires == ("single>=1", "x; extra == 'y'")


@pytest.mark.parametrize(
    "text", ["", "{", "[]", '{"format_version": 9}', '{"format_version":1,"rows":{"a":1}}']
)
def test_a_broken_memory_is_forgotten(root: Path, text: str) -> None:
    Site([root])
    remembered(root).write_text(text)
    assert len(Site([root]).distributions) == 2
    assert json.loads(remembered(root).read_text())["format_version"] == 1


@given(
    st.recursive(
        st.none() | st.text() | st.integers(),
        lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    )
)
def test_any_document_is_read_without_an_error(
    tmp_path_factory: pytest.TempPathFactory, rows: object
) -> None:
    path = tmp_path_factory.mktemp("memory") / "remembered.json"
    path.write_text(json.dumps({"format_version": 1, "rows": rows}))
    SiteMemory(path)


def test_without_a_folder_to_write_to_everything_is_read_anew(
    root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "file"))
    assert look(root) == (True, ())
    assert look(root) == (True, ())


def add_to_generation(folder: Path) -> Path:
    """A package as tierproof adds it: no RECORD; the inventory lies beside the site folder."""
    site = folder / "generation" / "site"
    site.mkdir(parents=True)
    metadata = install(site, "added-pack", "1.0", {"added_pack/__init__.py": "x = 1\n"})
    (metadata / "RECORD").unlink()
    (metadata / "INSTALLER").write_text("tierproof\n")
    files = {
        path.relative_to(site).as_posix(): [
            hashlib.sha256(path.read_bytes()).hexdigest(),
            path.stat().st_size,
        ]
        for path in site.rglob("*")
        if path.is_file()
    }
    document = {"format_version": 1, "packages": {"Added_Pack": {"version": "1.0", "files": files}}}
    (site.parent / "inventory.json").write_text(json.dumps(document))
    return site


@pytest.mark.parametrize("damage", ["unlink", "longer", "other"])
def test_damage_to_a_generation_is_found_by_its_inventory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, damage: str
) -> None:
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "data"))
    site = add_to_generation(tmp_path)
    assert Site([site]).examine("added-pack").mismatches == ()
    file = site / "added_pack/__init__.py"
    file.unlink() if damage == "unlink" else file.write_text("x = 2\n" if damage == "other" else "x = 1000\n")
    disk = Site([site]).examine("added-pack")
    assert disk.mismatches == ("added_pack/__init__.py",)
    assert disk.installer == "tierproof"


def test_an_inventory_that_cannot_be_read_says_nothing(tmp_path: Path) -> None:
    site = add_to_generation(tmp_path)
    assert len(read_inventory(site, "added-pack")) == 3
    assert read_inventory(site, "unknown") == ()
    for text in (
        "",
        "{}",
        '{"format_version": 2, "packages": {}}',
        '{"format_version":1,"packages":{"added-pack":{"files":{"a":1}}}}',
    ):
        (site.parent / "inventory.json").write_text(text)
        assert read_inventory(site, "added-pack") == ()
    missing = InstalledDistribution("x", "1", tmp_path / "x.dist-info", tmp_path)
    assert read_own_record(missing) == ()

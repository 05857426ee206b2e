"""One environment that is reached with two homes, or was moved or copied: no package that was added is lost."""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path

import pytest

from guard.throwaway import Throwaway

PATH_FILE = "tierproof-packages.pth"


@pytest.fixture
def here(tmp_path: Path) -> Throwaway:
    throwaway = Throwaway(tmp_path)
    for name in ("first", "second"):
        throwaway.index.add(name, "1.0")
    return throwaway


def list_names(here: Throwaway) -> list[str]:
    done = here.command("list", "--json")
    assert done.returncode == 0, done.stderr
    return [item["name"] for item in json.loads(done.stdout)["packages"]]


def move(here: Throwaway, to: str, *, copy: bool = False) -> None:
    """Move or copy the environment; its Python finds its new place by itself."""
    old, new = here.python.parents[1], here.folder / to
    (shutil.copytree if copy else shutil.move)(old, new, **({"symlinks": True} if copy else {}))  # type: ignore[operator]
    here.python = new / "bin" / "python"
    (here.site,) = new.glob("lib/python3*/site-packages")


@pytest.mark.parametrize("action", ["install", "uninstall", "rollback", "gc", "recover"])
def test_another_data_folder_finds_what_was_added(here: Throwaway, action: str) -> None:
    here.install("first")
    first, here.data = here.data, here.folder / "another"
    assert list_names(here) == ["first"]
    if action == "install":
        here.install("second")
        assert list_names(here) == ["first", "second"]
    elif action in ("uninstall", "rollback"):
        assert here.command(action, *(["first"] if action == "uninstall" else [])).returncode == 0
        assert list_names(here) == []
        assert here.find_version("first") is None
    else:
        assert here.command(action).returncode == 0
        assert here.find_version("first") == "1.0"
    # The first user of the environment sees the same.
    seen, here.data = list_names(here), first
    assert list_names(here) == seen
    assert here.command("history").stdout.count("\n") >= (1 if action == "gc" else 2)


def test_a_moved_environment_finds_its_packages(here: Throwaway) -> None:
    here.install("first")
    move(here, "elsewhere")
    assert list_names(here) == ["first"]
    here.install("second")
    assert [here.find_version(name) for name in ("first", "second")] == ["1.0", "1.0"]
    assert len(json.loads(here.command("history", "--json").stdout)["entries"]) == 2
    move(here, "env")  # and back
    assert list_names(here) == ["first", "second"]


def test_a_copied_environment_leaves_the_original_alone(here: Throwaway) -> None:
    here.install("first")
    original, site = here.python, here.site
    move(here, "copy", copy=True)
    before = {path: path.read_bytes() for path in here.data.rglob("*.json")}
    refused = here.command("install", "second")
    assert refused.returncode == 2
    assert "of which this one is a copy" in refused.stderr
    assert {path: path.read_bytes() for path in before} == before
    assert here.find_version("first") == "1.0"
    doctor = here.command("doctor")
    assert "of which this one is a copy" in doctor.stdout
    # The way out that the hint names.
    (here.site / PATH_FILE).unlink()
    lock = refused.stderr.partition("recover --lock ")[2].partition("`")[0]
    recovered = here.command("recover", "--lock", lock)
    assert recovered.returncode == 0, recovered.stderr
    here.install("second")
    assert list_names(here) == ["first", "second"]
    here.python, here.site = original, site
    assert list_names(here) == ["first"]


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() != 0, reason="only root can give files away")
def test_a_store_of_another_user_is_not_taken_over(here: Throwaway) -> None:
    here.install("first")
    (store,) = here.data.glob("environments/*")
    os.chown(store, 12345, -1)
    here.data = here.folder / "another"
    content = (here.site / PATH_FILE).read_bytes()
    refused = here.command("install", "second")
    assert refused.returncode == 2
    assert "it belongs to another user" in refused.stderr
    assert (here.site / PATH_FILE).read_bytes() == content
    assert here.find_version("first") == "1.0"
    assert "it belongs to another user" in here.command("doctor").stdout


@pytest.mark.parametrize("elsewhere", [False, True])
def test_a_store_that_is_gone_hinders_nothing_and_is_told(here: Throwaway, elsewhere: bool) -> None:
    here.install("first")
    shutil.rmtree(here.data)
    doctor = here.command("doctor")
    assert "are gone" in doctor.stdout, doctor.stderr
    if elsewhere:
        here.data = here.folder / "another"
    else:
        assert "tierproof rollback" in here.command("install", "second").stderr
        assert here.command("rollback").returncode == 0
    here.install("second")
    assert list_names(here) == ["second"]
    assert "are gone" not in here.command("doctor").stdout


def test_a_path_file_that_leads_to_a_stranger_is_not_followed(here: Throwaway) -> None:
    """Who can write to the site directory names a folder; it is another environment's, so nothing changes there."""
    here.install("first")
    other = Throwaway(here.folder / "other")
    other.index.add("second", "1.0")
    (other.site / PATH_FILE).write_bytes((here.site / PATH_FILE).read_bytes())
    refused = other.command("install", "second")
    assert refused.returncode == 2
    assert "refused" in refused.stderr
    assert list_names(here) == ["first"]

"""Shadows in a Python that has a user site, as hosted notebooks have: in front of the base, and nothing mixes."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from guard.throwaway import Throwaway
from scenarios.test_adversity import read_only, run_mounted


def write_library(version: str) -> dict[str, str]:
    """A package whose modules all know their version, so that a mixture shows."""
    files = {"library/__init__.py": f"__version__ = {version!r}\n"}
    return files | {f"library/part{number}.py": f"VERSION = {version!r}\n" for number in range(4)}


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Throwaway:
    throwaway = Throwaway(tmp_path_factory.mktemp("hosted"), hosted=True)
    for version in ("1.0", "2.0", "3.0"):
        throwaway.index.add("library", version, files=write_library(version))
    throwaway.index.add("user", "1.0", "library<3")
    throwaway.index.add("extra", "1.0", "library>=2")
    throwaway.index.add("helper", "1.0")
    throwaway.add_base("library==1.0", "user")
    return throwaway


@pytest.fixture
def here(made: Throwaway) -> Throwaway:
    for _ in range(8):
        if made.command("list").stdout == "No packages are added to this environment.\n":
            return made
        names = [item["name"] for item in json.loads(made.command("list", "--json").stdout)["packages"]]
        assert made.command("uninstall", *names).returncode == 0
    raise AssertionError("it cannot be emptied")


def run_live(here: Throwaway, body: str) -> Any:
    return here.ask(f"import json, sys\nimport tierproof as tp\n{body}")


def test_a_shadow_stands_in_front_live_and_after_a_restart(here: Throwaway) -> None:
    before = here.stamp_base()
    said = run_live(
        here,
        """
receipt = tp.install("extra", allow_shadow=True)
import library, extra, user
print(json.dumps([receipt.to_dict(), library.__version__, sys.path, user.__version__]))""",
    )
    receipt, version, path, _ = said
    assert receipt["plan"]["verdict"] == "shadow"
    assert receipt["plan"]["shadows"] == [
        {"name": "library", "base": "1.0", "version": "2.0", "dependents": ["user"]}
    ]
    assert not receipt["session_only"]
    assert version == "2.0"
    assert path == here.read_path()
    assert path.index(receipt["path_entry"]) < path.index(str(here.site))
    assert here.find_version("library") == "2.0"
    assert here.stamp_base() == before


def test_an_addition_stands_behind_live_and_after_a_restart(here: Throwaway) -> None:
    entry, path = run_live(
        here, "receipt = tp.install('helper')\nprint(json.dumps([receipt.to_dict()['path_entry'], sys.path]))"
    )
    assert path == here.read_path()
    assert path.index(entry) > path.index(str(here.site))


def test_what_is_loaded_is_no_shadow_and_goes_on_with_its_own_parts(here: Throwaway) -> None:
    said = run_live(
        here,
        """
import library.part0
try:
    tp.install("extra", allow_shadow=True)
except tp.PlanRefused as error:
    verdict = error.plan.verdict.value
import library.part1
print(json.dumps([verdict, library.part1.VERSION]))""",
    )
    assert said[0] in ("waiver", "isolated")
    assert said[1] == "1.0"


def test_a_process_that_was_there_before_a_shadow_keeps_its_own_version(here: Throwaway) -> None:
    said = run_live(
        here,
        """
import subprocess
import library.part0
# Another process installs the shadow. It cannot see pure Python in here, so this one hides for the test.
code = '''
import tierproof as tp
print(tp.install("extra", allow_shadow=True).generation)
'''
subprocess.run([sys.executable, "-c", code], check=True)
import library.part1, library.part2
fresh = subprocess.run([sys.executable, "-c", "import library.part3; print(library.part3.VERSION)"],
                       capture_output=True, text=True, check=True)
print(json.dumps([library.part1.VERSION, library.part2.VERSION, fresh.stdout.strip()]))""",
    )
    assert said == ["1.0", "1.0", "2.0"]


def test_from_additions_to_a_shadow_and_back(here: Throwaway) -> None:
    here.install("helper")
    user_file = Path(
        here.ask("import json, site; print(json.dumps(site.getusersitepackages()))"), "tierproof-packages.pth"
    )
    site_file = here.site / "tierproof-packages.pth"
    assert site_file.exists()
    assert not user_file.exists()
    here.install("extra", "--allow-shadow")
    assert user_file.exists()
    assert not site_file.exists()
    assert [here.find_version(name) for name in ("helper", "library")] == ["1.0", "2.0"]
    assert here.command("rollback").returncode == 0
    assert site_file.exists()
    assert not user_file.exists()
    assert [here.find_version(name) for name in ("helper", "library")] == ["1.0", "1.0"]
    # A kill between the two path files: the one in front is the one that counts, and the next change tidies up.
    here.command("rollback")
    site_file.write_text(user_file.read_text().replace(user_file.read_text().split("/")[-2], "0" * 20))
    assert json.loads(here.command("list", "--json").stdout)["packages"][-1]["name"] == "library"
    here.command("uninstall", "helper")
    assert not site_file.exists()


def test_a_read_only_site_directory_falls_back_to_the_users(here: Throwaway) -> None:
    done = run_mounted(here, read_only(here.site, here.python.parent), "install", "helper")
    assert done.returncode == 0, done.stderr
    assert not (here.site / "tierproof-packages.pth").exists()
    assert here.find_version("helper") == "1.0"


def test_with_a_read_only_user_site_as_well_it_is_refused(here: Throwaway) -> None:
    home = Path(here.environment["HOME"])
    home.mkdir(exist_ok=True)
    done = run_mounted(here, read_only(here.site, home), "install", "helper")
    assert done.returncode == 2
    assert "neither site-packages nor the user site-packages is writable" in done.stderr
    assert "fetching" not in done.stderr

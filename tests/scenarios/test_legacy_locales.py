"""Added packages and the locale: whatever it is, every Python of the environment starts, and finds them."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from guard.throwaway import Throwaway
from tierproof.guard.system.path_file import UnspeakablePathError, read_named_folders, spell_folder

STRICT = {"PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}
LOCALES = [
    {"LC_ALL": "C"},
    {"LC_ALL": "POSIX"},
    {"LC_ALL": "C", **STRICT},
    {"LC_ALL": "C.UTF-8"},
    {"LC_ALL": "de_DE.ISO-8859-1"},
    {"LC_ALL": "de_DE.ISO-8859-1", **STRICT},
]
OTHERS = sorted(Path(sys.base_prefix).parent.glob("3.1[1-9].*/bin/python"))  # as version managers put them
KINDS = [
    pytest.param(sys.executable, False, id="venv"),
    pytest.param(sys.executable, True, id="hosted"),
    *(pytest.param(str(path), False, id=path.parts[-3], marks=pytest.mark.slow) for path in OTHERS),
]


@pytest.fixture(scope="session")
def latin(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """A locale whose encoding is Latin-1, where the system can make one."""
    folder = tmp_path_factory.mktemp("locales")
    tool = shutil.which("localedef")
    command = [tool or "", "-i", "de_DE", "-f", "ISO-8859-1", str(folder / "de_DE.ISO-8859-1")]
    made = tool is not None and subprocess.run(command, capture_output=True, check=False).returncode in (0, 1)
    return {"LOCPATH": str(folder)} if made else {}


def start_everywhere(here: Throwaway, latin: dict[str, str], module: str) -> None:
    for locale in LOCALES:
        environment = {**here.environment, **latin, **locale}
        for options in ([], ["-X", "importtime"], ["-E"]) if module == "os" else ([], ["-E"]):
            done = here.run(*options, "-c", f"import {module}", env=environment)
            assert done.returncode == 0, (locale, done.stderr[-1500:])


@pytest.mark.parametrize(("interpreter", "hosted"), KINDS)
def test_a_home_beyond_ascii(tmp_path: Path, interpreter: str, hosted: bool, latin: dict[str, str]) -> None:
    here = Throwaway(tmp_path / "müller", interpreter=interpreter, hosted=hosted)
    here.index.add("helper", "1.0")
    here.index.add("other", "1.0")
    here.install("helper")
    assert (here.site / "tierproof-packages.pth").read_bytes().isascii()
    start_everywhere(here, latin, "helper")
    # And the commands work in each of these locales, on what was added in another.
    for locale in LOCALES:
        environment = {**here.environment, **latin, **locale}
        listed = here.run("-m", "tierproof", "list", env=environment, cwd=here.folder)
        assert "helper 1.0" in listed.stdout, (locale, listed.stderr)
    strict = {**here.environment, "LC_ALL": "C", **STRICT}
    added = here.run("-m", "tierproof", "install", "other", env=strict, cwd=here.folder)
    assert added.returncode == 0, added.stderr
    assert here.find_version("other") == here.find_version("helper") == "1.0"
    start_everywhere(here, latin, "other")


def test_a_data_folder_beyond_ascii_is_refused_where_no_ascii_path_leads_to_it(
    tmp_path: Path, latin: dict[str, str]
) -> None:
    here = Throwaway(tmp_path / "env")
    here.index.add("helper", "1.0")
    here.data = tmp_path / "müller"
    done = here.command("install", "helper")
    assert done.returncode == 2
    assert "not plain ASCII" in done.stderr
    assert "TIERPROOF_DATA" in done.stderr
    assert not (here.site / "tierproof-packages.pth").exists()
    start_everywhere(here, latin, "os")
    here.data = tmp_path / "mueller"  # as the hint says
    here.install("helper")
    start_everywhere(here, latin, "helper")


@pytest.mark.parametrize(
    "name", ["with\nnewline", "with\rreturn", "with\x1cseparator", "with\x1bescape", "with\x85next"]
)
def test_a_folder_whose_name_ends_the_line(tmp_path: Path, name: str) -> None:
    with pytest.raises(UnspeakablePathError):
        spell_folder(tmp_path / name / "site", tmp_path / "site-packages" / "x.pth")


def test_a_relative_data_folder_is_a_usage_error(tmp_path: Path) -> None:
    here = Throwaway(tmp_path / "env")
    here.index.add("helper", "1.0")
    done = here.run(
        "-m",
        "tierproof",
        "install",
        "helper",
        env={**here.environment, "TIERPROOF_DATA": "data"},
        cwd=tmp_path,
    )
    assert done.returncode == 2
    assert "is a relative path" in done.stderr
    assert not (tmp_path / "data").exists()


def test_a_name_is_read_back_as_it_was_spelled(tmp_path: Path) -> None:
    for folder in (tmp_path / "plain" / "site", tmp_path / "ü" / "data" / "site"):
        file = folder.parents[1] / "lib" / "x.pth"
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(spell_folder(folder, file) + "\n", encoding="ascii")
        assert read_named_folders(file) == (str(folder),)

"""`tierproof run --with REQ -- CMD`, as a user runs it, on an index made here."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import pytest

from cli.command import arguments, environment
from guard.wheelhouse import Wheelhouse
from tierproof.cli.packages.replace_process import find_program, replace_process
from tierproof.errors import UsageError
from tierproof.guard.isolate.worker_environment import extend_environment

pytest.importorskip("uv")
posix = pytest.mark.skipif(sys.platform == "win32", reason="a POSIX shell")


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> Wheelhouse:
    house = Wheelhouse(tmp_path_factory.mktemp("house"))
    house.add("numbered", "2.0")
    house.add("packaging", "99.0")
    return house


@pytest.fixture
def variables(house: Wheelhouse, tmp_path: Path) -> dict[str, str]:
    extra = {name: house.environment[name] for name in ("UV_DEFAULT_INDEX", "UV_CACHE_DIR")}
    data = house.folder / "data"  # one layer serves all tests
    return environment(tmp_path, fake=False, extra={**extra, "TIERPROOF_DATA": str(data)})


def run(variables: Mapping[str, str], *options: object) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        arguments("run", *options), env=variables, capture_output=True, text=True, timeout=120, check=False
    )


def test_the_command_and_its_children_see_the_layer_and_give_the_exit_code(variables: dict[str, str]) -> None:
    code = (
        "import numbered, packaging, subprocess, sys; print(numbered.__version__, packaging.__version__);"
        "subprocess.run([sys.executable, '-c', 'import packaging; print(packaging.__version__)'], check=True);"
        "print(sys.executable); sys.exit(7)"
    )
    done = run(variables, "--with", "numbered", "--with", "packaging==99", "--", "python", "-c", code)
    lines = done.stdout.splitlines()
    assert done.returncode == 7, done.stderr
    assert sorted(lines[:2]) == ["2.0 99.0", "99.0"]
    assert lines[2] == sys.executable
    assert "downloaded for the worker only: numbered 2.0, packaging 99.0" in done.stderr
    again = run(variables, "--with", "numbered", "--with", "packaging==99", "--", "python", "-c", "print(1)")
    assert (again.returncode, again.stdout) == (0, "1\n")
    assert "fetched" not in again.stderr
    many = run(variables, "--with", "numbered", "packaging==99", "--", "python", "-c", "print('--with', 'x')")
    assert (many.returncode, many.stdout) == (0, "--with x\n")
    quiet = run(variables, "--quiet", "--with", "packaging==99", "python", "-c", "print(1)")
    assert (quiet.returncode, quiet.stdout, quiet.stderr) == (0, "1\n", "")


@posix
def test_options_after_the_command_are_its_own(variables: dict[str, str]) -> None:
    done = run(
        variables, "--quiet", "--with", "numbered", "sh", "-c", "echo $0 $1; exit 3", "--json", "--help"
    )
    assert (done.returncode, done.stdout) == (3, "--json --help\n")


@posix
def test_a_signal_reaches_the_command_and_its_death_is_ours(variables: dict[str, str]) -> None:
    code = "import signal, sys; signal.signal(signal.SIGTERM, lambda *_: sys.exit(9)); print('up', flush=True); signal.pause()"
    for number, expected in ((signal.SIGTERM, 9), (signal.SIGINT, -signal.SIGINT), (signal.SIGKILL, -9)):
        with subprocess.Popen(
            arguments("run", "--quiet", "--with", "numbered", "--", "python", "-c", code),
            env=variables,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        ) as process:
            assert process.stdout is not None
            assert process.stdout.readline() == "up\n"
            process.send_signal(number)
            assert process.wait(60) == expected


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (("--with", "numbered", "--", "nocommand"), "there is no command 'nocommand'"),
        (("--with", "numbered>=3", "--", "true"), "no release satisfies numbered>=3"),
        (("--with", "nowhere", "--", "true"), "no package index has a package named 'nowhere'"),
        (("--with", "==3", "--", "true"), "cannot read the requirement"),
        (("--", "true"), "Missing option '--with'"),
        (("--with", "numbered"), "Missing argument"),
    ],
)
def test_what_cannot_be_started_is_exit_2(
    variables: dict[str, str], options: tuple[str, ...], words: str
) -> None:
    done = run(variables, *options)
    assert (done.returncode, done.stdout) == (2, "")
    assert words in done.stderr


@posix
def test_a_file_that_cannot_be_run_is_said(tmp_path: Path) -> None:
    file = tmp_path / "tool"
    file.write_text("no program")
    with pytest.raises(UsageError, match="is not executable"):
        find_program(str(file), os.environ)
    file.chmod(0o755)
    with pytest.raises(UsageError, match="cannot be run: Exec format error"):
        replace_process(find_program(str(file), os.environ), [str(file)], os.environ)


def test_python_is_the_one_that_runs_this() -> None:
    major, minor = sys.version_info[:2]
    for name in ("python", f"python{major}", f"python{major}.{minor}"):
        assert find_program(name, {"PATH": ""}) == sys.executable
    with pytest.raises(UsageError, match="no command"):
        find_program(f"python{major}.{minor + 40}", {"PATH": ""})


@posix
def test_path_leads_to_the_scripts_of_the_layer_then_to_this_interpreter(tmp_path: Path) -> None:
    own = Path(sys.executable).parent
    found = extend_environment(
        ["/layer/site"], ["/layer/bin"], {"PATH": "/usr/bin:/bin", "PYTHONPATH": "mine"}
    )
    folders = found["PATH"].split(":")
    assert folders[:2] == ["/layer/bin", str(own)]
    assert folders[-2:] == ["/usr/bin", "/bin"]
    assert found["PYTHONPATH"] == "/layer/site:mine"
    found = extend_environment([], [], {"PATH": f"{own}:/bin"})
    assert found == {"PATH": f"{own}:/bin"}

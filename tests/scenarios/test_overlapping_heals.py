"""Several processes that heal the same package at the same time, and the heal of a whole environment."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import click
import packaging
import pytest

from guard.fake_site import install
from guard.torn_host import read_tree, remove_version, write_version

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="needs /proc")
TESTS = Path(__file__).resolve().parents[1]
Command = Callable[..., "subprocess.CompletedProcess[str]"]
CODE = """
import json, sys
sys.path.insert(0, sys.argv[1])
import pack, tierproof as tp
assert tp.doctor().healthy
tp.snapshot()
print("loaded", flush=True)
for line in sys.stdin:
    print(json.dumps(tp.heal().to_dict() if line == "heal\\n" else tp.doctor().to_dict()), flush=True)
"""


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "data"))
    root = tmp_path / "site-packages"
    root.mkdir()
    write_version(root, "1.0", "_elementtree")
    return root


def bare_environment(root: Path) -> dict[str, str]:
    """For `python -S`: it holds nothing but `root` and what the command needs, so nobody else's is healed."""
    dependencies = root.parent / "dependencies"
    if not dependencies.exists():
        dependencies.mkdir()
        for module in (packaging, click):
            (dependencies / module.__name__).symlink_to(Path(module.__file__ or "").parent)
    path = os.pathsep.join(map(str, (root, TESTS.parent / "src", TESTS, dependencies)))
    return {**os.environ, "PYTHONPATH": path, "UV_OFFLINE": "1"}


def start(root: Path) -> subprocess.Popen[str]:
    process = subprocess.Popen(
        [sys.executable, "-S", "-c", CODE, str(root)],
        env=bare_environment(root),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "loaded\n"
    return process


def upgrade(root: Path) -> None:
    remove_version(root)
    write_version(root, "2.0", "_ctypes_test")


def end(process: subprocess.Popen[str]) -> None:
    process.kill()
    process.communicate()


def test_overlapping_heals_wait_for_each_other(root: Path) -> None:
    whole = read_tree(root)
    processes = [start(root) for _ in range(3)]
    try:
        upgrade(root)
        for process in processes:
            assert process.stdin is not None
            process.stdin.write("heal\n")
            process.stdin.flush()
        answers = []
        for process in processes:
            assert process.stdout is not None
            answers.append(json.loads(process.stdout.readline()))
    finally:
        for process in processes:
            end(process)
    assert all(answer["ok"] for answer in answers), answers
    # The first puts it back, and the others then find nothing to do.
    assert [each["package"] for answer in answers for each in answer["healed"]] == ["pack"]
    assert read_tree(root) == whole
    assert [path.name for path in root.iterdir() if path.name.startswith(".")] == []


@pytest.fixture
def command(root: Path) -> Command:
    def run(*arguments: object) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-S", "-m", "tierproof", *map(str, arguments)],
            env=bare_environment(root),
            capture_output=True,
            text=True,
            check=False,
        )

    return run


def test_heal_without_a_pid_mends_each_torn_process(root: Path, command: Command) -> None:
    torn = start(root)
    try:
        upgrade(root)
        answer = command("heal", "--json")
        document = json.loads(answer.stdout)
        healed = [each for each in document["healed"] if each["package"] == "pack"]
        assert healed == [{"package": "pack", "version": "1.0", "replaced_version": "2.0"}], (
            answer.stdout + answer.stderr
        )
        assert "pack" not in [each["package"] for each in document["diagnosis"]["torn"]]
    finally:
        end(torn)


def test_damage_that_nobody_has_loaded_is_told_with_the_command(root: Path, command: Command) -> None:
    install(root, "alone", "1.0", {"alone/__init__.py": "x = 1\n"})
    command("doctor")
    shutil.rmtree(root / "alone")
    answer = command("heal")
    assert answer.returncode == 1, answer.stderr
    assert 'pip install --force-reinstall --no-deps "alone==1.0"' in answer.stdout
    assert "healed:" not in answer.stdout


def test_doctor_takes_a_snapshot_on_request(root: Path, command: Command) -> None:
    running = start(root)
    try:
        answer = command("doctor", "--pid", running.pid, "--snapshot", "--json")
        kept = json.loads(answer.stdout)["snapshot"]["kept"]
        assert "pack" in [each["package"] for each in kept]
        text = command("doctor", "--snapshot")
        assert "snapshot:" in text.stdout
    finally:
        end(running)

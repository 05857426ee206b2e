"""Files of an environment's folder are deleted while packages are added: each command works, or says what to do."""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path

import pytest

from guard.throwaway import Throwaway
from sampled import sample
from tierproof.guard.generations.activation_history import Activation
from tierproof.guard.generations.generation_users import list_spans

COMMANDS = {
    "install": ("install", "helper"),
    "install again": ("install", "tool"),
    "uninstall": ("uninstall", "tool"),
    "rollback": ("rollback",),
    "list": ("list",),
    "history": ("history",),
    "doctor": ("doctor",),
    "gc": ("gc", "--keep", "0"),
    "recover": ("recover",),
    "save": ("save", "saved"),
    "plan": ("plan", "helper"),
}
# What only records what was done, and what the present packages are themselves.
RECORDS = ("history", "history/000001.json", "history/000002.json", "locks", "launchers.json", "environment.json",
           "staging", "history locks launchers.json environment.json staging")  # fmt: skip
PARTS = ("generation.json", "inventory.json", "pylock.toml", "site", "")


class Home:
    """An environment with two generations, the later one present, which is put back after each command."""

    def __init__(self, folder: Path) -> None:
        self.host = Throwaway(folder)
        self.host.index.add("basement", "1.0")
        self.host.index.add("helper", "1.0")
        self.host.index.add("extra", "1.0")
        entry = "[console_scripts]\ntool-run = tool:main\n"
        files = {"tool.py": "__version__ = '1.0'\n", "tool-1.0.dist-info/entry_points.txt": entry}
        self.host.index.add("tool", "1.0", files=files)
        self.host.add_base("basement")
        self.host.install("extra")
        self.present = Path(self.host.install("tool")["path_entry"]).parent
        self.records = self.present.parents[1]
        self.script = self.host.python.parent / "tool-run"
        self.kept = folder / "kept"
        for name, path in self._places().items():
            shutil.copytree(path, self.kept / name, symlinks=True)

    def _places(self) -> dict[str, Path]:
        return {"data": self.host.data, "bin": self.host.python.parent, "site": self.host.site}

    def restore(self) -> None:
        for name, path in self._places().items():
            shutil.rmtree(path)
            shutil.copytree(self.kept / name, path, symlinks=True)
        shutil.rmtree(self.host.folder / "saved", ignore_errors=True)

    def delete(self, root: Path, names: str) -> None:
        for name in names.split() or [""]:
            path = root / name
            shutil.rmtree(path) if path.is_dir() else path.unlink(missing_ok=True)

    def run_each(self, root: Path, names: str) -> dict[str, subprocess.CompletedProcess[str]]:
        done = {}
        for name, words in COMMANDS.items():
            self.restore()
            self.delete(root, names)
            done[name] = self.host.command(*words)
            told = done[name].stdout + done[name].stderr
            assert "internal error" not in told, (names, name, told)
            assert "Traceback" not in told, (names, name, told)
            if done[name].returncode:
                assert done[name].stdout or "error: " in done[name].stderr, (names, name, told)
            if name == "uninstall" and done[name].returncode == 0:
                assert not self.script.exists(), names
            if name == "install" and done[name].returncode == 0:
                found = {each: self.host.find_version(each) for each in ("helper", "tool", "extra")}
                assert found == dict.fromkeys(found, "1.0"), names
        return done


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Home:
    return Home(tmp_path_factory.mktemp("home"))


@pytest.mark.parametrize("names", sample(RECORDS, 4))
def test_without_a_record_every_command_works(home: Home, names: str) -> None:
    done = home.run_each(home.records, names)
    failed = {name: told.stderr for name, told in done.items() if told.returncode}
    if {"history", "history/000001.json"} & set(names.split()):  # what was there before is not known
        assert "history of this environment was deleted" in failed.pop("rollback")
    if "history" in names.split():
        assert "tierproof list" in done["history"].stdout
    assert failed == {}
    assert "tool 1.0" in done["list"].stdout


@pytest.mark.parametrize("part", sample(PARTS, 4))
def test_without_a_part_of_the_present_packages_each_command_works_or_says_what_to_do(
    home: Home, part: str
) -> None:
    done = home.run_each(home.present, part)
    for name in ("recover", "rollback"):
        assert done[name].returncode == 0, done[name].stderr
    for name, told in done.items():
        if "error: " in told.stderr:
            assert "tierproof recover" in told.stderr, (name, told.stderr)


def test_a_process_that_began_before_the_lost_history_still_holds_its_generation(home: Home) -> None:
    script = "import sys, extra; print('ready', flush=True); sys.stdin.read()"
    home.restore()
    with subprocess.Popen(
        [home.host.python, "-c", script],
        env=home.host.environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
    ) as process:  # fmt: skip
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        home.delete(home.records, "history")
        assert home.host.command("uninstall", "tool").returncode == 0
        document = json.loads(home.host.command("gc", "--keep", "0", "--json").stdout)
        assert home.present.is_dir(), document
        process.communicate("")
    document = json.loads(home.host.command("gc", "--keep", "0", "--json").stdout)
    assert home.present.name in document["removed"]


class TestSpans:
    """When a generation may have been present, by what is left of the history."""

    def entry(self, number: int, generation: str, at: float, action: str = "install") -> Activation:
        return Activation(number, generation, action, boot="b", uptime_s=at)

    def test_a_whole_history_tells_exactly(self) -> None:
        history = [self.entry(1, "a", 10), self.entry(2, "b", 20)]
        assert list_spans("a", history, "b") == ((10, 20),)
        assert list_spans("b", history, "b") == ((20, float("inf")),)
        assert list_spans("c", history, "b") == ()

    def test_without_a_history_it_may_have_been_at_any_time(self) -> None:
        assert list_spans("a", [], "b") == ((0, float("inf")),)

    @pytest.mark.parametrize("first", [(1, "found"), (2, "install")])
    def test_without_its_beginning_at_any_time_before(self, first: tuple[int, str]) -> None:
        history = [self.entry(first[0], "a", 10, first[1]), self.entry(first[0] + 1, "", 20)]
        assert (0, 10) in list_spans("a", history, "b")
        assert list_spans("c", history, "b") == ((0, 10),)

    def test_in_a_hole_each_may_have_been(self) -> None:
        history = [self.entry(1, "a", 10), self.entry(3, "b", 30)]
        assert list_spans("c", history, "b") == ((10, 30),)

    def test_what_a_kill_left_unrecorded_was_present_before_it_was_found(self) -> None:
        history = [self.entry(1, "a", 10), self.entry(2, "b", 20), self.entry(3, "a", 30, "found")]
        assert (20, float("inf")) in list_spans("a", history, "b")

"""The watch's judgement, outside a kernel."""

from __future__ import annotations

import ast
import os
import subprocess
import sys
from pathlib import Path

import pytest

from guard.wheelhouse import Wheelhouse, make_base
from tierproof.errors import TierproofError
from tierproof.extension import advice, audit_hook
from tierproof.extension.cell_commands import CellJudge, find_commands
from tierproof.extension.notice import Notice
from tierproof.extension.stopped import InstallStopped
from tierproof.extension.watch import Watch
from tierproof.guard.capture.base import capture_base
from tierproof.guard.commands.pip_command import parse_pip_commands
from tierproof.guard.foresee.foreseen import Change, Foreseen
from tierproof.guard.judge.plan import AgedPackage, Conflict, Plan, PlanVerdict
from tierproof.guard.mend.diagnosis import Diagnosis

pytest.importorskip("uv")

HARMFUL = "pip install numb==2.0"


@pytest.fixture
def told() -> list[Notice]:
    return []


@pytest.fixture
def watch(tmp_path: Path, told: list[Notice], monkeypatch: pytest.MonkeyPatch) -> Watch:
    house = Wheelhouse(tmp_path / "house")
    for version in ("1.0", "2.0"):
        house.add("numb", version)
    house.add("plain", "1.0")
    for name in [name for name in os.environ if name.startswith(("PIP_", "UV_"))]:
        monkeypatch.delenv(name)
    for name, value in {
        **house.environment,
        "PIP_INDEX_URL": house.url,
        "PIP_CONFIG_FILE": os.devnull,
    }.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("PATH", "")
    monkeypatch.setattr("tierproof.guard.resolve.run_uv.find_uv", _find_uv)
    base = make_base({"numb": "1.0"}, loaded=["numb"])
    return Watch(tell=told.append, capture=lambda: base, diagnose=lambda: Diagnosis((), 0, 0.0))


def _find_uv() -> str:
    import uv

    return str(uv.find_uv_bin())


def test_harm_is_stopped_and_an_addition_is_not(watch: Watch, told: list[Notice]) -> None:
    watch.consider_text("pip install plain")
    watch.consider_text("echo pip")
    watch.consider_text("ls")
    with pytest.raises(InstallStopped) as caught:
        watch.consider_text(HARMFUL)
    assert "numb" in caught.value.message
    assert caught.value.foreseen[0].harms[0].version == "2.0"
    assert caught.value._render_traceback_()[0].startswith("InstallStopped: the command was not run")
    assert told == []


def test_a_watch_that_fails_says_so_in_each_cell(
    watch: Watch, told: list[Notice], monkeypatch: pytest.MonkeyPatch
) -> None:
    class Mute(Exception):
        def __str__(self) -> str:
            raise RuntimeError("no text either")

    def fail() -> None:
        raise Mute

    monkeypatch.setattr(watch, "_capture", fail)
    for _ in range(3):
        watch.before_cell(HARMFUL)
        watch.consider_text(HARMFUL)
    assert len(told) == 3
    assert all("failed" in notice.title and "without being checked" in notice.to_text() for notice in told)
    monkeypatch.setattr(watch, "_tears", None)  # looked for after every cell: told once
    for _ in range(3):
        watch.before_cell("pass")
        watch.after_cell()
    assert len(told) == 4


def test_a_watch_among_hostile_objects_still_stops_what_harms(
    watch: Watch, told: list[Notice], monkeypatch: pytest.MonkeyPatch
) -> None:
    class Angry:
        def __getattr__(self, name: str) -> object:
            raise RuntimeError(name)

    monkeypatch.setattr(sys, "path", [Path("/x"), None, 3, b"/y", *sys.path])
    monkeypatch.setitem(sys.modules, "angry", Angry())  # type: ignore[arg-type]
    captured = capture_base()
    assert captured.installed
    with pytest.raises(InstallStopped):
        watch.consider_text(HARMFUL)
    watch.begin()
    watch.after_cell()
    assert told == []


def test_what_a_process_is_given_is_judged_with_its_folder_and_variables(
    watch: Watch, tmp_path: Path
) -> None:
    (tmp_path / "r.txt").write_text("numb==2.0\n")
    with pytest.raises(InstallStopped, match="numb"):
        watch.consider_arguments(["pip", "install", "-r", "r.txt"], dict(os.environ), str(tmp_path))
    with pytest.raises(InstallStopped):
        watch.consider_text("pip install numb==$V", {**os.environ, "V": "2.0"})


def test_consent_lasts_for_a_cell(watch: Watch) -> None:
    watch.before_cell("!pip install numb==2.0  # tierproof: allow")
    watch.consider_text(HARMFUL)
    watch.before_cell("!pip install numb==2.0")
    with pytest.raises(InstallStopped):
        watch.consider_text(HARMFUL)
    watch.allow_cells()
    watch.consider_text(HARMFUL)
    watch.before_cell("next")
    watch.consider_text(HARMFUL)
    watch.before_cell("one after")
    with pytest.raises(InstallStopped):
        watch.consider_text(HARMFUL)
    watch.enabled = False
    watch.consider_text(HARMFUL)
    with watch.settled():
        watch.consider_arguments(["pip", "install", "numb==2.0"])


def test_a_command_that_pip_refuses_runs(watch: Watch, told: list[Notice], tmp_path: Path) -> None:
    house = Wheelhouse(tmp_path / "house")
    house.add("early", "1.0", "numb>=2", requires_python="<3")
    for text in ("pip install early", "pip install early numb==2.0", "pip install numb==9"):
        watch.consider_text(text)
    assert told == []


def test_what_was_not_foreseen_is_told_once_a_cell(watch: Watch, told: list[Notice]) -> None:
    for _ in range(2):
        watch.consider_text("pip install git+https://me:secret@x.invalid/other.git")
    assert len(told) == 1
    assert "could not be checked in advance" in told[0].title
    assert "secret" not in told[0].to_text()


def test_a_failure_is_told_once_and_stops_nothing(
    told: list[Notice], capsys: pytest.CaptureFixture[str]
) -> None:
    def fail() -> Diagnosis:
        raise ValueError("no disk")

    watch = Watch(tell=told.append, capture=fail, diagnose=fail)  # type: ignore[arg-type]
    watch.begin()
    watch.consider_text(HARMFUL)
    watch.consider_text(HARMFUL)
    watch.after_cell()
    assert len(told) == 1
    assert "ValueError: no disk" in told[0].to_text()

    def refuse(_: Notice) -> None:
        raise OSError("no display")

    Watch(tell=refuse, capture=fail, diagnose=fail).consider_text(HARMFUL)  # type: ignore[arg-type]
    assert "no disk" in capsys.readouterr().err


def test_a_failure_is_told_in_each_cell_that_runs_unchecked(told: list[Notice]) -> None:
    def fail() -> Diagnosis:
        raise ValueError("no disk")

    watch = Watch(tell=told.append, capture=fail, diagnose=fail)  # type: ignore[arg-type]
    for cell in ("one", "two"):
        watch.before_cell(cell)
        watch.consider_text(HARMFUL)
        watch.consider_text(HARMFUL)
    assert len(told) == 2


def test_what_stands_behind_a_condition_is_not_stopped_and_told_after_the_cell(
    watch: Watch, told: list[Notice], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(watch._tears, "look", lambda **_: Notice("numb is torn."))
    watch.before_cell("a cell")
    watch.consider_text(f"[ -d data ] || {HARMFUL}")
    watch.consider_arguments(["bash", "-c", f"if make; then {HARMFUL}; fi"])
    watch.after_cell()
    (notice,) = told
    told_why = "These commands were not stopped, because the cell runs them only under a condition"
    assert notice.lines == (f"{told_why}: {HARMFUL}",)
    watch.before_cell("the next")
    watch.after_cell()
    assert told[-1].lines == ()
    with pytest.raises(InstallStopped):
        watch.consider_text(f"cd /tmp && {HARMFUL}")


def test_a_script_that_is_run_is_read(watch: Watch, tmp_path: Path) -> None:
    (tmp_path / "setup.sh").write_text(f"set -e\n{HARMFUL}\n")
    (tmp_path / "large.sh").write_bytes(b"#" * (1 << 19))
    os.mkfifo(tmp_path / "pipe.sh")
    with pytest.raises(InstallStopped):
        watch.consider_arguments(["bash", "setup.sh"], None, str(tmp_path))
    for name in ("large.sh", "pipe.sh", "absent.sh", "."):
        watch.consider_arguments(["bash", name], None, str(tmp_path))


def test_a_requirements_file_that_the_cell_writes_is_read_when_it_is_there(
    watch: Watch, tmp_path: Path, told: list[Notice]
) -> None:
    text = f"pip install -r {tmp_path}/r.txt"
    watch.before_cell("a cell that writes r.txt")
    watch.consider_text(text)
    assert "could not be checked" in told[0].title
    (tmp_path / "r.txt").write_text("numb==2.0\n")
    with pytest.raises(InstallStopped):
        watch.consider_text(text)


def test_tears_are_told_at_the_start(told: list[Notice]) -> None:
    from tierproof.guard.mend.torn import Remedy, TearSign, TornPackage

    torn = TornPackage("numb", "1.0", "2.0", (TearSign.VERSION,), Remedy.HEAL, "")
    watch = Watch(tell=told.append, diagnose=lambda: Diagnosis((torn,), 1, 0.0))
    watch.begin()
    watch.after_cell()
    titles = [notice.title for notice in told]
    assert titles == ["numb: this kernel runs another version than the one on disk."]


def test_processes_of_python_code_are_heard(watch: Watch, told: list[Notice], tmp_path: Path) -> None:
    audit_hook.set_watch(watch)
    try:
        with pytest.raises(InstallStopped):
            subprocess.run([sys.executable, "-m", "pip", "install", "numb==2.0"], check=False)
        with pytest.raises(InstallStopped):
            subprocess.run(HARMFUL, shell=True, check=False, cwd=tmp_path, env=dict(os.environ))
        with pytest.raises(InstallStopped):
            os.system(HARMFUL)
        for spawn in (os.spawnlp, os.spawnvp):
            words = (
                (["pip", "install", "numb==2.0"],) if spawn is os.spawnvp else ("pip", "install", "numb==2.0")
            )
            with pytest.raises(InstallStopped):
                spawn(os.P_WAIT, "pip", *words)  # type: ignore[operator]
        with pytest.raises(InstallStopped):
            sys.audit("pty.spawn", ["pip", "install", "numb==2.0"])
        assert subprocess.run([sys.executable, "-c", "pass"], check=False).returncode == 0
        sys.audit("subprocess.Popen", None, "pip list", None, None)
        sys.audit("os.posix_spawn", "/bin/true", [b"true", 1], {b"A": b"B"})
        sys.audit("os.posix_spawn", "/bin/true", 5, None)
        for event, arguments in (
            ("subprocess.Popen", (None, ["pip", "install", "numb==2.0"], tmp_path, {b"A": "B"})),
            ("subprocess.Popen", (None, HARMFUL, None, None)),
            ("os.system", (HARMFUL.encode(),)),
        ):
            with pytest.raises(InstallStopped):
                audit_hook._hear(event, arguments)
        audit_hook._hear("os.posix_spawn", ("/bin/true", 5, None))
        audit_hook._hear("open", ("pip",))
    finally:
        audit_hook.clear_watch()
    assert subprocess.run([sys.executable, "-c", "pass"], check=False).returncode == 0
    assert [notice.title for notice in told] == [
        "the watch failed while reading the command of a new process."
    ]


def test_processes_that_tierproof_starts_are_its_own_affair(watch: Watch) -> None:
    code = compile(f"watch.consider_text({HARMFUL!r})", "install.py", "exec")
    exec(code, {"__name__": "tierproof.guard.operations.install", "watch": watch})


def test_commands_that_a_cell_names_outright() -> None:
    source = (
        "get_ipython().system('pip install a')\n"
        "x = get_ipython().getoutput('pip install b')\n"
        "get_ipython().run_line_magic('pip', 'install c')\n"
        "get_ipython().run_cell_magic('bash', '', 'pip install d $E')\n"
        "get_ipython().run_cell_magic('time', '', 'pip install no')\n"
        "get_ipython().run_line_magic('time', 'no')\n"
        "get_ipython().system('pip install $no')\n"
        "get_ipython().system(no)\n"
        "if maybe:\n    get_ipython().system('pip install no')\n"
        "def later():\n    get_ipython().system('pip install no')\n"
    )
    found = list(find_commands(ast.parse(source)))
    assert [text.split()[-1] for text in found] == ["a", "b", "c", "$E"]
    assert found[2].startswith(sys.executable)


def test_a_cell_is_rejected_or_given_back_as_it_came(watch: Watch) -> None:
    judge = CellJudge(watch, lambda stop: KeyError(stop.message))
    tree = ast.parse("get_ipython().system('pip install plain')")
    assert judge.visit(tree) is tree
    with pytest.raises(KeyError):
        judge.visit(ast.parse(f"get_ipython().system({HARMFUL!r})"))


def _foreseen(text: str, *changes: Change, added: tuple[str, ...] = ()) -> Foreseen:
    (command,) = parse_pip_commands(text, {})
    return Foreseen(command, changes, added)


NUMB = Change("numb", "1.0", "2.0", loaded=True)


@pytest.mark.parametrize(
    ("verdict", "words"),
    [
        (PlanVerdict.SATISFIED, "Nothing needs to be installed"),
        (PlanVerdict.ADDITIVE, "%tierproof install capt"),
        (PlanVerdict.SHADOW, "%tierproof install capt --allow-shadow"),
        (PlanVerdict.WAIVER, "%tierproof install capt --waive numb"),
        (PlanVerdict.ISOLATED, "tp.isolated(['capt'], function"),
        (PlanVerdict.INFEASIBLE, "No combination of versions"),
    ],
)
def test_the_alternative_follows_the_plan(
    monkeypatch: pytest.MonkeyPatch, verdict: PlanVerdict, words: str
) -> None:
    conflict = Conflict("numb", "1.0", ">=2", "capt")
    made = Plan(("capt",), "here", verdict, conflicts=(conflict,), explanation="Because. More.")
    monkeypatch.setattr("tierproof.api.packages.plan.plan", lambda *_, **__: made)
    found = advice.advise(_foreseen("pip install capt", NUMB), 1.0)
    assert words in "\n".join(found.lines)
    assert found.plan is made


def test_the_alternative_asks_for_the_same_versions(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[tuple[str, ...]] = []

    def plan(*requirements: str, limit_s: float) -> Plan:
        asked.append(requirements)
        aged = (AgedPackage("capt", "0.1", "9"),)
        return Plan(requirements, "here", PlanVerdict.ADDITIVE, aged=aged, explanation="Adds.")

    monkeypatch.setattr("tierproof.api.packages.plan.plan", plan)
    found = advice.advise(_foreseen("pip install -U 'numb[x]' capt ./a.whl", NUMB), 1.0)
    assert asked == [("numb[x]==2.0", "capt", "./a.whl")]
    assert "--allow-aged" in found.lines[0]


def test_where_no_alternative_can_be_planned(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: str, **__: float) -> Plan:
        raise TierproofError("no network")

    monkeypatch.setattr("tierproof.api.packages.plan.plan", fail)
    assert advice.advise(_foreseen("pip install capt", NUMB), 1.0).lines == (
        "No alternative could be planned: no network",
    )
    monkeypatch.setattr("tierproof.api.packages.plan.plan", lambda *_, **__: 1 / 0)
    assert "ZeroDivisionError" in advice.advise(_foreseen("pip install capt", NUMB), 1.0).lines[0]
    assert "r.txt" in advice.advise(_foreseen("pip install -r r.txt", NUMB), 1.0).lines[0]
    assert "restart" in advice.advise(_foreseen("pip uninstall numb", NUMB), 1.0).lines[0]


def test_a_long_list_of_changes_is_cut(monkeypatch: pytest.MonkeyPatch) -> None:
    many = [Change(f"p{number}", "1", "2", loaded=False) for number in range(20)]
    stop = advice.make_stop([_foreseen("pip uninstall numb", NUMB, *many)], 1.0)
    assert "and 8 more" in stop.hint
    assert "numb 1.0 -> 2.0" in stop.hint

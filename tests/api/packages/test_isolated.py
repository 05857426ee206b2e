"""`tp.isolated` and `tp.IsolatedWorker`, on an index made here."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from importlib.metadata import version
from pathlib import Path

import pytest

import tierproof as tp
from guard import calls
from guard.wheelhouse import Wheelhouse, make_base
from tierproof.api.packages import isolated as module
from tierproof.errors import UsageError
from tierproof.guard.capture.base import capture_base
from tierproof.guard.isolate.worker_error import WorkerTimeoutError
from tierproof.guard.judge.plan_refused import PlanRefused

pytest.importorskip("uv")
pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="needs fork")


@pytest.fixture
def house(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Wheelhouse]:
    house = Wheelhouse(tmp_path / "house")
    house.add("numbered", "2.0")
    house.add("setting", "4.4", "numbered>=2")
    monkeypatch.setenv("TIERPROOF_DATA", str(tmp_path / "data"))
    for name in ("UV_DEFAULT_INDEX", "UV_CACHE_DIR"):
        monkeypatch.setenv(name, house.environment[name])
    # A base of two packages: the plans of a hundred are other tests' matter.
    base = make_base({"packaging": version("packaging"), "click": version("click")})
    monkeypatch.setattr(module, "capture_base", lambda: base)
    warm = module._WarmWorkers()
    monkeypatch.setattr(module, "_WARM", warm)
    yield house
    warm.close()


def test_a_call_sees_the_packages_that_were_asked_for(house: Wheelhouse, tmp_path: Path) -> None:
    found, file = tp.isolated(["setting"], calls.version_of, "setting")
    assert found == "4.4"
    assert file.startswith(str(tmp_path / "data"))
    assert tp.isolated(["setting"], calls.version_of, "numbered")[0] == "2.0"
    assert "setting" not in sys.modules
    assert not any(str(tmp_path / "data") in entry for entry in sys.path)


def test_the_same_requirements_meet_the_same_process(house: Wheelhouse) -> None:
    before = tp.isolated(["setting"], os.getpid)
    assert tp.isolated("setting", os.getpid) == before
    assert tp.isolated(["numbered"], os.getpid) != before
    first, _ = tp.isolated_workers()
    assert (first.pid, first.calls, first.layer_made) == (before, 2, True)
    assert first.last_call is not None
    assert first.last_call.reused
    assert [item.name for item in first.plan.add] == ["numbered", "setting"]
    document = first.to_dict()
    assert document["requested"] == ["setting"]
    assert document["last_call"]["reused"] is True  # type: ignore[index, call-overload]
    text = first.describe()
    assert f"process {before}, 2 calls" in text
    assert "+ setting 4.4" in text
    assert "the process was already running" in text
    assert "isolated worker for setting" in first._repr_html_()


def test_keep_warm_false_ends_the_process(house: Wheelhouse) -> None:
    pid = tp.isolated(["setting"], os.getpid, keep_warm=False)
    assert tp.isolated_workers() == ()
    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)


def test_a_worker_of_ones_own(house: Wheelhouse) -> None:
    with tp.IsolatedWorker(["numbered"]) as worker:
        assert worker.state.pid == 0
        assert "no process running, 0 calls" in repr(worker)
        assert [worker.run(calls.count) for _ in range(2)] == [1, 2]
        assert worker.run(calls.add, 1, more=2, limit_s=60) == 3
        with pytest.raises(WorkerTimeoutError):
            worker.run(calls.sleep_deaf, 60, limit_s=0.1)
        assert "a new process was started" not in worker.state.describe().partition("last call")[0]
        worker.run(os.getpid)
        assert "a new process was started" in worker._repr_html_()
    assert worker.state.pid == 0


def test_what_is_installed_already_needs_no_layer(house: Wheelhouse) -> None:
    with tp.IsolatedWorker("packaging") as worker:
        assert worker.run(calls.version_of, "packaging")[1] == calls.version_of("packaging")[1]
        assert worker.state.to_dict()["layer"] == ""


def test_what_was_fetched_is_said_where_a_person_looks(
    house: Wheelhouse, capsys: pytest.CaptureFixture[str]
) -> None:
    told: list[str] = []
    tp.IsolatedWorker("numbered", progress=lambda done, total, name: told.append(name))
    assert told[0] == "planning"
    assert any(words.startswith("fetching numbered 2.0") for words in told)
    assert capsys.readouterr().err == ""
    tp.IsolatedWorker("setting")
    assert "downloaded for the worker only: numbered 2.0, setting 4.4." in capsys.readouterr().err
    tp.IsolatedWorker("setting")
    assert capsys.readouterr().err == ""


def test_what_may_fail_in_front_of_it_is_said(
    house: Wheelhouse, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "capture_base", capture_base)
    # hypothesis needs sortedcontainers <3; this process has loaded it, and no index made here has another.
    house.add("sortedcontainers", "3.0")
    worker = tp.IsolatedWorker("sortedcontainers>=3")
    assert "hypothesis (needs sortedcontainers<3.0.0,>=2.1.0, gets 3.0)" in capsys.readouterr().err
    assert "! hypothesis needs sortedcontainers" in repr(worker)
    (unhappy,) = worker.state.to_dict()["unhappy"]  # type: ignore[misc]
    assert unhappy["required_by"] == "hypothesis"  # type: ignore[index, call-overload]


def test_refusals_come_before_anything_is_started(house: Wheelhouse) -> None:
    with pytest.raises(PlanRefused) as caught:
        tp.isolated(["setting>=9"], calls.count)
    assert isinstance(caught.value.plan, tp.Plan)
    with pytest.raises(UsageError, match="must be a function, not str"):
        tp.isolated(["setting"], "count")  # type: ignore[arg-type]
    with pytest.raises(UsageError, match="positive number of seconds"):
        tp.isolated(["setting"], calls.count, limit_s=0)
    with pytest.raises(UsageError, match="no requirement was given"):
        tp.isolated([], calls.count)
    assert [state.pid for state in tp.isolated_workers()] == [0]


def test_a_forked_child_may_ask_as_well(house: Wheelhouse) -> None:
    before = tp.isolated(["numbered"], os.getpid)
    child = os.fork()
    if not child:
        fine = False
        try:
            fine = tp.isolated(["numbered"], os.getpid) != before
            module._WARM.close()
        finally:
            os._exit(0 if fine else 1)
    assert os.waitpid(child, 0)[1] == 0
    assert tp.isolated(["numbered"], os.getpid) == before

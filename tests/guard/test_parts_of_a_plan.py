"""Index settings, ages, live processes, and uv's child: each by itself."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from guard.wheelhouse import make_base
from tierproof.guard.capture import loaded_distributions
from tierproof.guard.capture.base import capture_base
from tierproof.guard.capture.installed import capture_installed
from tierproof.guard.capture.loaded_distributions import find_loaded_by_live_processes
from tierproof.guard.judge.age import is_markedly_older
from tierproof.guard.judge.plan import AddedPackage, AgedPackage, Plan, PlanVerdict
from tierproof.guard.resolve import run_uv
from tierproof.guard.resolve.index_settings import DEFAULT_INDEX, read_index_settings
from tierproof.guard.resolve.lock import LockedPackage, read_lock

NOW = datetime(2026, 6, 1, tzinfo=UTC)


@pytest.mark.parametrize(
    ("old", "new", "days", "aged"),
    [
        ("1.0", "1.1", 100, False),
        ("1.0", "1.1", 400, True),
        ("1.0", "2.0", 30, False),
        ("1.0", "2.0", 200, True),
        ("2.0", "2.0", 900, False),
        ("1.0", "2.0", None, True),
        ("1.0", "1.9", None, False),
    ],
)
def test_age(old: str, new: str, days: int | None, aged: bool) -> None:
    before = None if days is None else NOW - timedelta(days=days)
    found, newest = LockedPackage("a", old, uploaded=before), LockedPackage("a", new, uploaded=NOW)
    assert is_markedly_older(found, newest) is aged


def test_without_settings_the_default_index_is_asked(tmp_path: Path) -> None:
    settings = read_index_settings({"HOME": str(tmp_path), "PIP_CONFIG_FILE": os.devnull})
    assert settings.index_urls == (DEFAULT_INDEX,)


def test_pip_files_and_variables(tmp_path: Path) -> None:
    named = tmp_path / "named.conf"
    named.write_text(
        "[global]\nindex-url = https://one/simple\nextra-index-url =\n  https://two/simple\n  https://three/simple\n[install]\ntrusted-host = one\n"
    )
    settings = read_index_settings(
        {
            "HOME": str(tmp_path),
            "PIP_CONFIG_FILE": str(named),
            "PIP_CERT": "/c.pem",
            "PIP_PROXY": "http://p:1",
            "PIP_FIND_LINKS": "/w",
        }
    )
    assert settings.index_urls[-1] == "https://one/simple"
    assert {"https://two/simple", "https://three/simple"} <= set(settings.index_urls)
    assert settings.environment["SSL_CERT_FILE"] == "/c.pem"
    assert settings.environment["HTTPS_PROXY"] == "http://p:1"
    assert "unsafe-best-match" in settings.options
    assert "--allow-insecure-host" in settings.options
    assert settings.find_links == ("/w",)


def test_uv_variables_stay_and_others_go() -> None:
    settings = read_index_settings(
        {
            "UV_INDEX": "mine=https://one/simple",
            "UV_NO_CACHE": "1",
            "PIP_INDEX_URL": "https://two",
            "PYTHONPATH": "/x",
            "KEEP": "1",
        }
    )
    assert settings.index_urls == ("https://one/simple", DEFAULT_INDEX)
    assert settings.environment == {"UV_INDEX": "mine=https://one/simple", "KEEP": "1"}
    assert settings.options == ()


def test_what_this_process_imported_is_loaded() -> None:
    # In a process of its own: what others of these tests have imported is loaded here.
    code = (
        "import json, pytest\nfrom tierproof.guard.capture.installed import capture_installed\n"
        "from tierproof.guard.capture.loaded_distributions import find_loaded_here\n"
        "print(json.dumps(sorted(find_loaded_here(capture_installed()).names)))"
    )
    source = Path(__file__).resolve().parents[2] / "src"
    environment = {**os.environ, "PYTHONPATH": str(source)}
    told = subprocess.run(
        [sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True
    )
    loaded = set(json.loads(told.stdout))
    assert {"pytest", "packaging"} <= loaded
    assert not {"pip", "hypothesis"} & loaded


def test_what_a_live_process_maps_is_loaded() -> None:
    pytest.importorskip("numpy")
    if not Path("/proc/self/maps").exists():
        pytest.skip("needs /proc")
    code = "import numpy; print('ready', flush=True); input()"
    with subprocess.Popen(
        [sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as child:
        assert child.stdout is not None
        assert child.stdout.readline() == "ready\n"
        loaded = find_loaded_by_live_processes(capture_installed())
        child.communicate("\n")
    assert {"numpy", "pytest"} <= loaded.names
    assert "mapped" in loaded.how_known


def test_where_nothing_can_be_seen_all_counts_as_loaded(monkeypatch: pytest.MonkeyPatch) -> None:
    installed = make_base({"a": "1", "b": "2"}).installed
    monkeypatch.setattr(loaded_distributions, "iterate_python_processes", lambda: iter([Path("/proc/1")]))
    monkeypatch.setattr(loaded_distributions, "read_mapped_files", lambda _: None)
    assert find_loaded_by_live_processes(installed).names == {"a", "b"}


def test_the_base_of_this_interpreter() -> None:
    base = capture_base()
    assert base.executable == sys.executable
    assert "packaging" in base.by_name
    assert base.version("nowhere") is None


def test_uv_is_killed_with_its_group_when_the_wait_is_interrupted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    script = tmp_path / "uv"
    script.write_text(f"#!/bin/sh\nsleep 300 &\necho $! > {tmp_path}/pid\nwait\n")
    script.chmod(0o755)
    monkeypatch.setattr(run_uv, "find_uv", lambda: str(script))
    file = tmp_path / "pid"

    def interrupt() -> None:
        while not (file.exists() and file.read_text().strip()):
            time.sleep(0.02)
        signal.pthread_kill(threading.main_thread().ident or 0, signal.SIGINT)

    thread = threading.Thread(target=interrupt)
    thread.start()
    with pytest.raises(KeyboardInterrupt):
        run_uv.run_uv([], environment=dict(os.environ), folder=tmp_path, limit_s=60)
    thread.join()
    status = Path(f"/proc/{file.read_text().strip()}/stat")
    for _ in range(100):
        if not status.exists() or status.read_text().rpartition(")")[2].split()[0] == "Z":
            return
        time.sleep(0.05)
    pytest.fail("a child of uv lives on")


def test_a_lock_names_wheels_sources_and_folders() -> None:
    lock = read_lock(
        'lock-version = "1.0"\n'
        '[[packages]]\nname = "a"\nversion = "1"\nwheels = [{url = "https://h/a-1-cp27-none-any.whl"}, {url = "https://h/a-1-py3-none-any.whl", size = 7}]\n'
        '[[packages]]\nname = "b"\nversion = "2"\nsdist = {url = "https://h/b-2.tar.gz"}\n'
        '[[packages]]\nname = "c"\ndirectory = {path = "/c"}\n'
        '[[packages]]\nname = "d"\narchive = {url = "https://h/d-4-py3-none-any.whl"}\n'
    )
    a, b, c, d = lock.packages
    assert (a.bytes, a.built, b.built, c.version, c.direct, d.version, d.direct) == (
        7,
        False,
        True,
        "",
        True,
        "4",
        True,
    )
    with pytest.raises(ValueError, match="lock-version"):
        read_lock("")


def test_a_plan_shows_itself() -> None:
    plan = Plan(
        ("a",),
        "here",
        PlanVerdict.ADDITIVE,
        add=(AddedPackage("<a>", "1", 2_000_000),),
        aged=(AgedPackage("a", "1", "2"),),
        explanation="Adds it.",
    )
    assert plan.exit_code == 1
    assert "&lt;a&gt; 1  (2.0 MB)" in plan._repr_html_()
    assert list(plan.to_dict()) == [
        "format_version",
        "requested",
        "base",
        "verdict",
        "add",
        "reuse",
        "shadows",
        "conflicts",
        "aged",
        "touches_loaded",
        "explanation",
        "duration_s",
    ]

"""Two kernels on one environment: each imports lazily while the other installs, upgrades, rolls back and collects."""

from __future__ import annotations

import os
import random
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from guard.notebook_kernel import Kernel, make_environment, run_command, start_kernel
from guard.wheelhouse import Wheelhouse

pytest.importorskip("ipykernel", reason="comes with the test group")
pytestmark = [pytest.mark.slow, pytest.mark.skipif(sys.platform != "linux", reason="needs /proc")]
PARTS = 40
VERSIONS = ("1.0", "2.0", "3.0")

# Every module knows its version, and that of the library below it at the time it was made for.
CELL = """
import importlib, json, sys
import tierproof as tp
def look(number):
    '''Import one more part of each, and give the versions that are mixed by now.'''
    seen = {}
    for name in ("upper", "lower"):
        try:
            importlib.import_module(f"{name}.part{number}")
        except ModuleNotFoundError:
            continue
        seen[name] = sorted({module.VERSION for key, module in sys.modules.items() if key.split(".")[0] == name})
    if len(seen) == 2:
        import upper
        seen["fits"] = upper.LOWER == sys.modules["lower"].VERSION
    return seen
def attempt(action):
    try:
        action()
        return "done"
    except tp.TierproofError as error:
        return f"{type(error).__name__}: {error}"
"""
ACTIONS = (
    "tp.install('upper==1.0')",
    "tp.install('upper==2.0')",
    "tp.install('upper==3.0')",
    "tp.install('other')",
    "tp.rollback()",
    "tp.rollback(1)",
    "tp.uninstall('upper')",
    "__import__('tierproof.guard.operations.collect_garbage', fromlist=['x']).collect_garbage(keep=0)",
)


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("data")


@pytest.fixture(scope="module")
def python(tmp_path_factory: pytest.TempPathFactory, data: Path) -> Iterator[Path]:
    house = Wheelhouse(data / "index")
    for version in VERSIONS:
        for name, extra in (("upper", f"LOWER = {version!r}\n"), ("lower", "")):
            files = {f"{name}/__init__.py": f"VERSION = {version!r}\n{extra}"}
            files |= {f"{name}/part{number}.py": f"VERSION = {version!r}\n" for number in range(PARTS)}
            house.add(name, version, *([f"lower=={version}"] if name == "upper" else []), files=files)
    house.add("other", "1.0")
    made = make_environment(
        tmp_path_factory.mktemp("two") / "env", "ipykernel", "packaging", "click", "rich", "uv"
    )
    before = dict(os.environ)
    os.environ.update({"UV_DEFAULT_INDEX": house.url, "UV_CACHE_DIR": str(data / "cache")})
    yield made
    os.environ.clear()
    os.environ.update(before)


def check_unmixed(kernel: Kernel, number: int, told: str) -> None:
    seen = kernel.ask(f"look({number})")
    for name in ("upper", "lower"):
        assert len(seen.get(name, ())) <= 1, (told, seen)
    assert seen.get("fits", True), (told, seen)


@pytest.mark.timeout(900)
@pytest.mark.parametrize("seed", [0, 1, 2])
def test_neither_ever_mixes_versions(python: Path, data: Path, seed: int) -> None:
    choose = random.Random(seed)
    history = []
    with start_kernel(python, data) as first, start_kernel(python, data) as second:
        kernels = (first, second)
        for kernel in kernels:
            assert kernel.run(CELL)[1] == ""
        assert first.ask("attempt(lambda: tp.install('upper==1.0'))") == "done"
        for number in range(PARTS):
            actor = choose.randrange(2)
            action = choose.choice(ACTIONS)
            outcome = kernels[actor].ask(f"attempt(lambda: {action})")
            history.append(f"{actor}: {action} -> {outcome.splitlines()[0]}")
            assert "internal" not in outcome
            told = "\n".join(history[-8:])
            for kernel in choose.sample(kernels, 2):
                check_unmixed(kernel, number, told)
            healthy = kernels[1 - actor].ask("tp.doctor().to_dict()")
            assert healthy["healthy"], (told, healthy)
        # A new process sees one whole state, whatever the two did.
        fresh = run_command(python, data, "doctor")
        assert fresh.returncode == 0, fresh.stdout
    assert any("-> done" in line for line in history)


@pytest.mark.timeout(300)
def test_both_at_the_same_time(python: Path, data: Path) -> None:
    """Their cells run at once: the lock lets one after the other, and both packages are there at the end."""
    import threading

    with start_kernel(python, data) as first, start_kernel(python, data) as second:
        for kernel in (first, second):
            assert kernel.run(CELL)[1] == ""
        outcomes: dict[str, str] = {}

        def run(kernel: Kernel, name: str) -> None:
            outcomes[name] = kernel.ask(f"attempt(lambda: tp.install({name!r}))")

        threads = [
            threading.Thread(target=run, args=pair) for pair in ((first, "other"), (second, "lower==1.0"))
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert list(outcomes.values()) == ["done", "done"], outcomes
        listed = run_command(python, data, "list").stdout
        assert "other 1.0" in listed
        assert "lower" in listed

"""What every test relies on."""

from __future__ import annotations

import multiprocessing
import os
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

TESTS = Path(__file__).resolve().parent
SOURCE = TESTS.parent / "src"
# What takes longer than an inner loop waits for: where it lies, or which supporting functions its file imports.
BY_PATH = {
    "scenarios/": "scenario",
    "faultbench/": "sweep",
    "loopbench/": "sweep",
    "api/test_large_models.py": "sweep",
    "api/test_leaves_model_untouched.py": "sweep",
    "api/test_odd_modules.py": "sweep",
    "api/test_three_bugs.py": "sweep",
    "api/test_wrapped_models.py": "sweep",
    "checks/test_training_arguments.py": "sweep",
    "checks/tier1/on_request/": "sweep",
    "model/costs/test_analytic_agreement.py": "sweep",
    "reporters/test_html.py": "sweep",
    "images/store/test_git_source.py": "command",
    "checks/test_examples.py": "sweep",
    "api/packages/test_isolated.py": "command",
    "images/read/test_reading_against_ipython.py": "command",
    "extension/test_recording_pip.py": "command",
    "guard/isolate/": "command",
}
BY_IMPORT = {
    "guard.throwaway.Throwaway": "install",
    "guard.notebook_kernel.make_environment": "install",
    "guard.notebook_kernel.start_kernel": "install",
    "extension.light_kernel.make_light_environment": "install",
    "cli.command.run": "command",
    "cli.command.start": "command",
    "cli.command.arguments": "command",
}
STARTING = (subprocess, multiprocessing)  # a file that imports these starts processes of its own
SWEEPING = {"check_healthy", "read_result"}  # of zoo.checked


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark what `make test-fast` leaves out by what it uses."""
    for item in items:
        path = item.path.relative_to(TESTS).as_posix()
        found = {marker for place, marker in BY_PATH.items() if path.startswith(place)}
        if isinstance(item, pytest.Function):
            for value in vars(item.module).values():
                name = f"{getattr(value, '__module__', '')}.{getattr(value, '__name__', '')}"
                found |= {BY_IMPORT[name]} if name in BY_IMPORT else set()
                found |= {"command"} if any(value is each for each in STARTING) else set()
            found |= {"sweep"} if SWEEPING & set(item.function.__code__.co_names) else set()
        for name in sorted(found):
            item.add_marker(name)


# The same examples in each run, and none that fails because the machine is busy.
settings.register_profile(
    "suite", derandomize=True, deadline=None, suppress_health_check=[HealthCheck.too_slow]
)
settings.load_profile("suite")

# A runner in the background starts with SIGINT ignored, and children inherit that: Ctrl-C must work in tests.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)
# Under nohup it is SIGHUP. A handler that does nothing goes on ignoring it here, and is not inherited.
if signal.getsignal(signal.SIGHUP) is signal.SIG_IGN:
    signal.signal(signal.SIGHUP, lambda *_: None)


@pytest.fixture(autouse=True, scope="session")
def cache_of_the_session(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Keep what tests cache out of the user's cache folder; children inherit it."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TIERPROOF_CACHE", str(tmp_path_factory.mktemp("tierproof-cache")))
        yield


@pytest.fixture(autouse=True, scope="session")
def reports_of_the_session(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """One folder of reports on healthy models (zoo/checked.py) for all processes of a run."""
    spread = "PYTEST_XDIST_WORKER" in os.environ
    base = tmp_path_factory.getbasetemp()
    folder = (base.parent if spread else base) / "reports-of-healthy-models"
    folder.mkdir(exist_ok=True)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TIERPROOF_TEST_REPORTS", str(folder))
        yield


@pytest.fixture(autouse=True, scope="session")
def lean_coverage_of_children() -> Iterator[None]:
    """Child processes measure the files they run; only this process looks for those that nothing has run.

    With `source` each of the many children would walk the whole package and write a row for every file of it.
    """
    told = os.environ.get("COVERAGE_PROCESS_CONFIG")
    if told is None:
        yield
        return
    from coverage.config import CoverageConfig

    config = CoverageConfig.deserialize(told)
    config.source, config.source_pkgs = None, []
    config.run_include = [f"{SOURCE}/tierproof/*"]
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("COVERAGE_PROCESS_CONFIG", config.serialize())
        yield

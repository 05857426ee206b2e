"""What happens to notebooks on hosted machines: each scenario in a real kernel of an environment like Colab's."""

from __future__ import annotations

import json
import re
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from notebooks.colab_kernel import Runtime, expect_fine, read_cells, run_all
from tierproof.notebooks.base_files import read_base_files
from tierproof.notebooks.check_notebook import check_notebook
from tierproof.notebooks.read_recipe import NAMES

pytestmark = [pytest.mark.slow, pytest.mark.timeout(1800)]

Make = Callable[..., Runtime]
BROKEN = Path(__file__).resolve().parents[2] / "examples" / "broken_gpt.py"
TORN_BY = ("numpy==2.3.4",)


def pip(runtime: Runtime, *words: str) -> None:
    """What `!pip install` in a cell does."""
    subprocess.run(
        [runtime.python, "-m", "pip", "install", "-q", "--disable-pip-version-check", *words], check=True
    )


def verdict(text: str) -> str:
    found = re.search(r"Verdict: ([a-z ]+)\.", text)
    assert found, text
    return found[1]


@pytest.mark.parametrize("name", NAMES)
def test_a_fresh_kernel_passes_the_whole_checklist(
    make_runtime: Make, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    runtime = make_runtime()
    monkeypatch.delenv("PYTHONPATH", raising=False)
    for variable, value in runtime.variables.items():
        if variable not in ("PYTHONPATH", "PATH"):
            monkeypatch.setenv(variable, value)
    checked = check_notebook(None, name, python=str(runtime.python))
    assert checked.ok, checked.describe()
    assert {line.split()[0] for line in checked.added} == {"tierproof", "uv"}


def test_with_colab_the_model_is_uploaded_and_the_results_reach_the_browser_and_the_drive(
    make_runtime: Make,
) -> None:
    runtime = make_runtime(colab=True)
    browser = runtime.folder / "browser"
    (browser / "to_upload").mkdir(parents=True)
    (browser / "to_upload" / "gpt.py").write_text(BROKEN.read_text())
    before = read_base_files(str(runtime.python))
    values = {"source": "upload", "download": True, "to_drive": True, "packages": "colorlog"}
    with runtime.start() as kernel:
        ran = run_all(kernel, read_cells("validate", values))
    after = read_base_files(str(runtime.python))
    assert before.find_changes(after) == ()
    assert {name.split()[0] for name in before.list_added(after)} == {"tierproof", "uv"}
    assert "Runtime: Colab" in ran["install"].text
    assert "Added colorlog" in ran["packages"].text
    assert (browser / "downloads" / "tierproof-report.zip").is_file()
    drive = browser / "drive" / "MyDrive" / "tierproof"
    assert {"report.html", "report.json", "weights.pt", "packages", "figures"} <= {
        path.name for path in drive.iterdir()
    }
    assert len(list((drive / "figures").glob("*.png"))) >= 5
    assert verdict(ran["conclude"].text) == "failed"
    assert "T1-CAUSAL" in ran["conclude"].text


@pytest.mark.parametrize("name", [name for name in NAMES if name != "validate"])
def test_with_colab_the_small_notebooks_run_and_leave_the_base_alone(make_runtime: Make, name: str) -> None:
    runtime = make_runtime(colab=True)
    (runtime.folder / "browser").mkdir()
    before = read_base_files(str(runtime.python))
    with runtime.start() as kernel:
        ran = run_all(kernel, read_cells(name))
    after = read_base_files(str(runtime.python))
    assert before.find_changes(after) == ()
    assert {line.split()[0] for line in before.list_added(after)} == {"tierproof", "uv"}
    assert "Runtime: Colab" in ran["install"].text


def test_a_refused_drive_is_said_and_the_notebook_goes_on(make_runtime: Make) -> None:
    runtime = make_runtime(colab=True)
    (runtime.folder / "browser").mkdir()
    (runtime.folder / "browser" / "drive_refused").touch()
    cells = read_cells("validate", {"to_drive": True})
    with runtime.start() as kernel:
        ran = run_all(kernel, {name: cells[name] for name in ("install", "choose", "export", "conclude")})
    assert "the drive could not be mounted: mount failed" in ran["export"].text
    assert verdict(ran["conclude"].text) == "not judged"


def test_a_reused_kernel_runs_it_all_again(make_runtime: Make) -> None:
    cells = read_cells("validate", {"packages": "colorlog"})
    with make_runtime().start() as kernel:
        first = run_all(kernel, cells)
        second = run_all(kernel, cells)
    assert "Added colorlog" in first["packages"].text
    assert "Nothing needs to be added" in second["packages"].text
    assert "Packages in place: colorlog" in second["recover"].text
    assert verdict(second["conclude"].text) == "passed"


def test_restarted_after_any_cell_only_the_recovery_cell_and_the_next_are_run(make_runtime: Make) -> None:
    cells = read_cells("validate", {"packages": "colorlog"})
    order = list(cells)
    runtime = make_runtime()
    with runtime.start() as kernel:
        # All that a run leaves is there from the first position on, except the results.
        for position in range(len(order) + 1):
            run_all(kernel, {name: cells[name] for name in order[:position]})
            kernel.restart()
            recovered = expect_fine(kernel.run("recover", cells["recover"]))
            assert "Recovered; go on with the next cell." in recovered.text
            if position < len(order):
                following = expect_fine(kernel.run(order[position], cells[order[position]]))
                expect_to_follow(order, position, recovered.text, following.text)
            for path in runtime.results.glob("*.json"):
                path.unlink()
            kernel.restart()


def expect_to_follow(order: list[str], position: int, recovered: str, following: str) -> None:
    done = order[:position]
    if "choose" in done:
        assert "The kernel was restarted." in recovered
        assert "The model is loaded again" in recovered
    if "check" in done:
        assert "The last report is restored" in recovered
        assert "with the weights that were checked" in recovered
    if "packages" in done:
        assert "Packages in place: colorlog" in recovered
    expected = {
        "install": "is ready",
        "choose": "The model is loaded.",
        "check": "Passed",
        "packages": "colorlog",
        "recover": "Recovered",
        "export": "Exported.",
        "conclude": "Verdict: passed.",
    }
    assert expected[order[position]] in following


@pytest.mark.parametrize("name", ["validate", "rescue"])
def test_torn_before_the_first_cell_it_is_healed(make_runtime: Make, name: str) -> None:
    runtime = make_runtime()
    with runtime.start() as kernel:
        kernel.run("user", "import numpy, torch; mine = numpy.arange(3)")
        pip(runtime, *TORN_BY)
        torn = kernel.run("user", "import numpy.strings")
        assert "_center" in torn.error
        ran = run_all(kernel, read_cells(name, {"packages": "colorlog"}))
        assert (
            kernel.run(
                "user", "import numpy.strings; assert numpy.__version__ == '2.0.2' and mine[2] == 2"
            ).error
            == ""
        )
    if name == "validate":
        assert "and was repaired without a restart: numpy." in ran["install"].text
        assert verdict(ran["conclude"].text) == "passed"
    else:
        assert "This kernel runs other versions than those on disk: numpy." in ran["install"].text
        assert "by pip" in ran["examine"].text
        assert "was repaired without a restart: numpy." in ran["heal"].text
        assert "Added colorlog" in ran["go_on"].text


def test_torn_beyond_healing_it_is_told_clearly(make_runtime: Make) -> None:
    runtime = make_runtime()
    runtime.more |= {"UV_OFFLINE": "1"}
    cells = read_cells("validate")
    with runtime.start() as kernel:
        kernel.run("user", "import numpy, torch")
        pip(runtime, *TORN_BY)
        kernel.run("user", "import numpy.polynomial")  # from the other version: only a restart takes it out
        ran = run_all(kernel, cells)
        assert "has to be restarted" in ran["install"].text or "could not be repaired" in ran["install"].text
        assert "Restart the kernel" in ran["install"].text
        kernel.restart()
        assert "Recovered" in expect_fine(kernel.run("recover", cells["recover"])).text
        again = run_all(kernel, {name: cells[name] for name in ("choose", "check", "conclude")})
    assert verdict(again["conclude"].text) == "passed"


def test_a_deleted_runtime_is_recovered_from_a_lock_and_archive(make_runtime: Make, tmp_path: Path) -> None:
    drive = tmp_path / "drive"
    first = make_runtime("first")
    with first.start() as kernel:
        run_all(kernel, read_cells("validate", {"packages": "colorlog", "drive_folder": str(drive)}))
    lock = tmp_path / "pylock.toml"  # the copy that the user keeps elsewhere
    lock.write_bytes((drive / "packages" / "pylock.toml").read_bytes())

    second = make_runtime("second")
    refused = read_cells("validate", {"saved": str(drive)})
    cells = read_cells("validate", {"saved": str(drive), "lock": str(lock)})
    with second.start() as kernel:
        unvouched = expect_fine(kernel.run("recover", refused["recover"]))
        assert "Recovered in part." in unvouched.text
        assert "was not made on this machine, and you have not trusted it here before" in unvouched.text
        recovered = expect_fine(kernel.run("recover", cells["recover"]))
        assert "Packages restored: colorlog" in recovered.text
        assert kernel.run("user", "import colorlog").error == ""
        concluded = expect_fine(kernel.run("conclude", cells["conclude"]))
    assert verdict(concluded.text) == "passed"


def test_a_planted_bug_is_the_verdict_of_the_last_cell(make_runtime: Make) -> None:
    runtime = make_runtime()
    with runtime.start() as kernel:
        ran = run_all(kernel, read_cells("validate", {"source": "path", "value": str(BROKEN)}))
    report = json.loads((runtime.results / "report.json").read_text())
    assert report["verdict"] == "fail"
    assert verdict(ran["conclude"].text) == "failed"
    assert "T1-CAUSAL" in ran["conclude"].text


def test_the_base_itself_was_never_touched(base: Path) -> None:
    files = read_base_files(str(base / "bin" / "python"))
    assert files.distributions["numpy"] == "2.0.2"
    assert "tierproof" not in files.distributions
    assert len(files.hashes) > 10_000

"""The extension in an IPython shell without a kernel, in a process of its own: what `ipython` in a terminal has."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from guard.notebook_kernel import SOURCE
from guard.wheelhouse import Wheelhouse

pytest.importorskip("IPython")
pytest.importorskip("uv")

SCRIPT = """
import json, sys
from IPython.core.interactiveshell import InteractiveShell
from guard.wheelhouse import make_base
from tierproof.guard.mend.diagnosis import Diagnosis
from tierproof.extension import extension
from tierproof.extension.watch import Watch

shell = InteractiveShell.instance()
told = {}
base = make_base({"numb": "1.0"}, loaded=["numb"])
notices = []
watch = Watch(tell=notices.append, capture=lambda: base, diagnose=lambda: Diagnosis((), 0, 0.0))
held = extension.Extension(shell, watch)
earlier = shell.system
mine = lambda cmd: earlier(cmd)
shell.system = mine  # somebody was there before
held.load()

def run(code):
    result = shell.run_cell(code)
    error = result.error_before_exec or result.error_in_exec
    return [type(error).__name__, getattr(error, "message", "")] if error else None

told["outright"] = run("ran = 1\\n!pip install numb==2.0")
told["ran"] = "ran" in shell.user_ns
told["later"] = run("ran = 1\\nname = 'numb'\\n!pip install $name==2.0")
told["ran_later"] = "ran" in shell.user_ns
told["output"] = run("x = !echo $name pip")
told["x"] = list(shell.user_ns.get("x", []))
told["depth"] = run("def f(local):\\n    return get_ipython().getoutput('echo $local pip', True, 0)\\ny = f('deep')")
told["y"] = list(shell.user_ns.get("y", []))
told["script"] = run("%%bash\\npip install numb==2.0")
told["script_ran"] = run("%%bash\\ntrue pip")
told["python"] = run("%%python\\nimport os\\nos.system('pip install numb==2.0')")
told["run"] = run("%run -m pip install numb==2.0")
told["allowed"] = run("!true pip install numb==2.0 # tierproof: allow")
told["plan"] = run("%tierproof plan numb==2.0")
told["plain"] = shell.display_formatter.format(shell.user_ns["_"])[0]["text/plain"] if "_" in shell.user_ns else ""
told["not_text"] = run("get_ipython().system(None)")[0]
held.unload()
held.unload()
told["restored"] = shell.system is mine
told["unloaded"] = run("!true pip install numb==2.0")
told["transformers"] = len(shell.ast_transformers)

extension.load_ipython_extension(shell)
first = shell._tierproof_extension
extension.load_ipython_extension(shell)
told["once"] = shell._tierproof_extension is first
outer = shell.system
shell.system = lambda cmd: outer(cmd)  # somebody came after
extension.unload_ipython_extension(shell)
extension.unload_ipython_extension(shell)
told["inner_is_quiet"] = run("!true; pip=numb")

broken = extension.Extension(shell, watch)
broken._calls.wrap = lambda: 1 / 0
try:
    broken.load()
except ZeroDivisionError:
    told["half"] = len(shell.ast_transformers)
print("\\n" + json.dumps(told))
"""


@pytest.fixture(scope="module")
def told(tmp_path_factory: pytest.TempPathFactory) -> dict[str, object]:
    folder = tmp_path_factory.mktemp("shell")
    house = Wheelhouse(folder / "house")
    house.add("numb", "1.0")
    house.add("numb", "2.0")
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("PIP_", "UV_"))}
    search = os.pathsep.join([str(SOURCE), str(Path(__file__).resolve().parents[1])])
    answer = subprocess.run(
        [sys.executable, "-c", SCRIPT],
        env={
            **kept,
            **house.environment,
            "PYTHONPATH": search,
            "IPYTHONDIR": str(folder / "ipython"),
            "XDG_DATA_HOME": str(folder / "data"),
            "PIP_INDEX_URL": house.url,
            "PIP_CONFIG_FILE": os.devnull,
            # The environment's own pip comes first, as in a notebook.
            "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
        },
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    assert answer.returncode == 0, answer.stderr
    return dict(json.loads(answer.stdout.splitlines()[-1]))


def test_stopped_before_the_cell_or_at_the_line(told: dict[str, object]) -> None:
    assert told["outright"] == [
        "InstallStopped",
        "the cell was not run: it would change numb, which this kernel has loaded.",
    ]
    assert told["ran"] is False
    assert told["python"] == told["outright"]
    assert told["run"] is not None
    assert told["later"] == [
        "InstallStopped",
        "the command was not run: it would change numb, which this kernel has loaded.",
    ]
    assert told["ran_later"] is True
    assert told["script"] is not None


def test_what_is_let_through_works_as_ever(told: dict[str, object]) -> None:
    assert told["output"] is None
    assert told["x"] == ["numb pip"]
    assert told["y"] == ["deep pip"]
    assert told["script_ran"] is None
    assert told["allowed"] is None
    assert told["not_text"] != "InstallStopped"


def test_a_result_is_text_in_a_terminal(told: dict[str, object]) -> None:
    assert told["plan"] is None
    assert "numb" in str(told["plain"])
    assert "Plan(" not in str(told["plain"])


def test_unloading_and_loading_twice(told: dict[str, object]) -> None:
    assert told["restored"] is True
    assert told["unloaded"] is None
    assert told["transformers"] == 0
    assert told["once"] is True
    assert told["inner_is_quiet"] is None


def test_a_load_that_fails_leaves_nothing_behind(told: dict[str, object]) -> None:
    assert told["half"] == 0

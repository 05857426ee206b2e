"""The watch in a real kernel, on packages made here: no network."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from extension.light_kernel import Notebook, make_light_environment, point_at
from guard.notebook_kernel import find_uv, start_kernel
from guard.wheelhouse import Wheelhouse

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="drives a kernel in a POSIX environment")

STOPPED = "ERROR InstallStopped: "
THREAD = """
import threading
caught = []
def install():
    try:
        os.system('pip install tearable==2.0')
    except Exception as error:
        caught.append(error)
thread = threading.Thread(target=install)
thread.start()
thread.join()
raise caught[0]
"""
VERSION = "__import__('importlib.metadata').metadata.version('tearable')"


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> Wheelhouse:
    house = Wheelhouse(tmp_path_factory.mktemp("house"))
    house.add("tearable", "1.0")
    house.add("tearable", "2.0")
    house.add("needs-new", "1.0", "tearable>=2")
    for name in ("small", "smaller", "smallest", "tiny", "added"):
        house.add(name, "1.0")
    house.add("dormant", "1.0")
    house.add("dormant", "2.0")
    return house


@pytest.fixture(scope="module")
def python(tmp_path_factory: pytest.TempPathFactory, house: Wheelhouse) -> Path:
    python = make_light_environment(tmp_path_factory.mktemp("env") / "env")
    subprocess.run(
        [
            find_uv(),
            "pip",
            "install",
            "-q",
            "--python",
            python,
            "--default-index",
            house.url,
            "tearable==1.0",
            "dormant==1.0",
        ],
        check=True,
    )
    return python


@pytest.fixture(scope="module")
def notebook(python: Path, house: Wheelhouse, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Notebook]:
    with pytest.MonkeyPatch.context() as monkeypatch:
        point_at(monkeypatch, house, python)
        with start_kernel(python, tmp_path_factory.mktemp("data")) as kernel:
            notebook = Notebook(kernel)
            assert notebook.run("%load_ext tierproof\nimport tearable, subprocess, sys, os") == ""
            yield notebook
            notebook.run("%unload_ext tierproof")  # the last test does, where it ran in this process
            told = kernel.ask("[get_ipython()._tierproof_extension is None, sorted(get_ipython().__dict__)]")
            assert told[0] is True
            assert not {"system", "getoutput", "var_expand"} & set(told[1])


def intact(notebook: Notebook) -> bool:
    return bool(notebook.kernel.ask(VERSION) == "1.0")


@pytest.mark.parametrize(
    "cell",
    [
        "!pip install tearable==2.0",
        "!{sys.executable} -m pip install -q tearable==2.0",
        pytest.param("!pip install needs-new", marks=pytest.mark.slow),
        "%pip install -U tearable",
        pytest.param("pip install -U tearable", marks=pytest.mark.slow),
        "!uv pip install tearable==2.0",
        "out = !pip install tearable==2.0",
        "%%bash\necho first\npip install tearable==2.0",
        pytest.param("%%sh\npip install tearable==2.0", marks=pytest.mark.slow),
        pytest.param("%%script bash -e\npip install tearable==2.0", marks=pytest.mark.slow),
        pytest.param("%%system\npip install tearable==2.0", marks=pytest.mark.slow),
        pytest.param("get_ipython().system('pip install tearable==2.0')", marks=pytest.mark.slow),
        pytest.param("get_ipython().getoutput('pip install tearable==2.0')", marks=pytest.mark.slow),
        "!pip uninstall -y tearable",
    ],
)
def test_a_cell_that_would_replace_what_is_loaded_is_not_run(notebook: Notebook, cell: str) -> None:
    seen = notebook.run(cell)
    assert STOPPED in seen
    assert "tearable" in seen
    assert "# tierproof: allow" in seen
    assert intact(notebook)


def test_nothing_of_the_cell_runs_where_the_command_is_named_outright(notebook: Notebook) -> None:
    seen = notebook.run("print('ran')\n!pip install tearable==2.0\nprint('went on')")
    assert "the cell was not run" in seen
    assert "ran\n" not in seen
    assert "tearable 1.0 -> 2.0" in seen
    assert "tp.isolated(['tearable==2.0']" in seen


@pytest.mark.parametrize(
    "cell",
    [
        "v = '2.0'\n!pip install tearable==$v",
        pytest.param("v = '2.0'\n!pip install tearable=={v}", marks=pytest.mark.slow),
        pytest.param("what = 'install tearable==2.0'\n%pip $what", marks=pytest.mark.slow),
        "def f(name):\n    !pip install {name}==2.0\nf('tearable')",
        pytest.param("if True:\n    !pip install tearable==2.0", marks=pytest.mark.slow),
        "os.environ['PKG'] = 'tearable==2.0'\n!pip install $PKG",
        "subprocess.run([sys.executable, '-m', 'pip', 'install', 'tearable==2.0'], check=True)",
        pytest.param(
            "subprocess.check_output('pip install tearable==2.0', shell=True)", marks=pytest.mark.slow
        ),
        pytest.param("subprocess.Popen(['pip', 'install', 'tearable==2.0']).wait()", marks=pytest.mark.slow),
        "os.system('pip install tearable==2.0')",
        pytest.param("os.popen('pip install tearable==2.0').read()", marks=pytest.mark.slow),
        "os.posix_spawn('/bin/sh', ['sh', '-c', 'pip install tearable==2.0'], os.environ)",
        "import asyncio\nawait (await asyncio.create_subprocess_exec('pip', 'install', 'tearable==2.0')).wait()",
        pytest.param("get_ipython().system_raw('pip install tearable==2.0')", marks=pytest.mark.slow),
        THREAD,
    ],
)
def test_a_command_that_takes_shape_while_the_cell_runs_is_stopped_there(
    notebook: Notebook, cell: str
) -> None:
    seen = notebook.run(f"print('before')\n{cell}\nprint('went on')")
    assert "before" in seen
    assert STOPPED + "the command was not run" in seen
    assert "went on" not in seen
    assert intact(notebook)


def test_an_addition_is_let_through_in_every_way(notebook: Notebook) -> None:
    assert STOPPED not in notebook.run("!pip install -q small")
    assert STOPPED not in notebook.run("%uv pip install -q smaller")
    assert STOPPED not in notebook.run("%%bash\nuv pip install -q smallest")
    assert STOPPED not in notebook.run("subprocess.run(['uv', 'pip', 'install', '-q', 'tiny'])")
    assert notebook.run("import small, smaller, smallest, tiny; print(small.__version__)").strip() == "1.0"


def test_what_nobody_has_loaded_may_be_upgraded(notebook: Notebook) -> None:
    assert STOPPED not in notebook.run("!uv pip install -q -P dormant dormant")
    assert notebook.run("import dormant; print(dormant.__version__)").strip() == "2.0"


def test_variables_are_expanded_once_and_where_they_stand(notebook: Notebook) -> None:
    notebook.run("calls = []\ndef note(x):\n    calls.append(x)\n    return x")
    assert "hello pip" in notebook.run("def g(local):\n    !echo {note('hello')} $local\ng('pip')")
    assert notebook.kernel.ask("calls") == ["hello"]
    assert notebook.run("!echo $$HOME '$$HOME' pip | cat").split()[0].startswith("/")
    assert notebook.run("x = !echo {note('again')} pip\nprint(x)").strip() == "['again pip']"
    assert notebook.kernel.ask("calls") == ["hello", "again"]


def test_what_is_not_worked_out_is_said_and_runs(notebook: Notebook) -> None:
    seen = notebook.run("!uv pip install -q file:///nowhere/some.tar.gz 2>&1 | tail -n 1; echo ran")
    assert "could not be checked in advance" in seen
    assert "ran" in seen


def test_other_shell_commands_are_left_alone(notebook: Notebook) -> None:
    assert notebook.run("!echo pip install tearable==2.0").strip() == "pip install tearable==2.0"
    assert "tearable" in notebook.run("!pip list 2>/dev/null")
    assert notebook.run("%%bash\necho $((1 + 1))").strip() == "2"
    assert notebook.run("subprocess.run(['true']).returncode").strip() == "0"


def test_the_magic_plans_installs_and_lists(notebook: Notebook) -> None:
    assert "additive" in notebook.run("%tierproof plan added")
    refused = notebook.run("%tierproof install tearable==2.0")
    assert "ERROR PlanRefused" in refused
    assert "Traceback" not in refused
    assert "ERROR" not in notebook.run("%tierproof install added")
    assert notebook.run("import added; print(added.__version__)").strip() == "1.0"
    assert "added" in notebook.run("%tierproof list")
    assert "install" in notebook.run("%tierproof history")
    assert "ERROR UsageError" in notebook.run("%tierproof nonsense")
    assert "healthy" in notebook.run("%tierproof doctor")


def test_let_through_by_a_comment_and_the_tear_is_told_once_and_healed(notebook: Notebook) -> None:
    seen = notebook.run("!uv pip install -q tearable==2.0  # tierproof: allow")
    assert STOPPED not in seen
    assert "tierproof: tearable: this kernel runs another version" in seen
    assert "1.0 is loaded, 2.0 is on disk" in seen
    assert "tp.heal()" in seen
    assert "HTML <div" in seen
    assert notebook.run("1 + 1").strip() == "2"
    # The very command that mends it is no harm.
    assert STOPPED not in notebook.run("!uv pip install -q tearable==1.0")
    assert intact(notebook)
    assert "healthy" in notebook.run("%tierproof doctor")


def test_let_through_by_the_option_for_one_cell(notebook: Notebook) -> None:
    assert "are not stopped" in notebook.run("%tierproof watch --allow-next")
    assert "this kernel runs another version" in notebook.run("!uv pip install -q tearable==2.0")
    notebook.run("!uv pip install -q tearable==1.0")
    assert STOPPED in notebook.run("!pip install -q tearable==2.0")


def test_the_watch_can_be_switched_off_and_on(notebook: Notebook) -> None:
    assert "the watch over install commands is off" in notebook.run("%tierproof watch --off")
    assert STOPPED not in notebook.run("!uv pip install -q tearable==2.0\n!uv pip install -q tearable==1.0")
    assert (
        "the watch over install commands is on; it takes up to 9 s to predict what an install changes"
        in notebook.run("%tierproof watch --on --limit 9")
    )
    assert STOPPED in notebook.run("!pip install tearable==2.0")


def test_a_failure_of_the_watch_is_shown_once_in_each_cell_and_the_cell_runs(notebook: Notebook) -> None:
    notebook.run(
        "watch = get_ipython()._tierproof_extension.watch\n"
        "kept, watch._capture = watch._capture, lambda: 1 / 0"
    )
    seen = notebook.run("!uv pip install -q small && echo through")
    assert "the watch failed" in seen
    assert "ZeroDivisionError" in seen
    assert "through" in seen
    again = notebook.run("!uv pip install -q small && echo through\n!uv pip install -q small && echo through")
    assert again.count("tierproof: the watch failed") == seen.count("tierproof: the watch failed")
    notebook.run("watch._capture = kept")
    assert STOPPED in notebook.run("!pip install tearable==2.0")


def test_another_extension_that_replaced_system_goes_on_working(notebook: Notebook) -> None:
    notebook.run(
        "shell = get_ipython(); inner = shell.system; heard = []\n"
        "def colab(cmd):\n    heard.append(shell.var_expand(cmd, depth=1))\n    return inner(cmd)\n"
        "shell.system = colab; word = 'there'"
    )
    assert "there" in notebook.run("!echo $word")
    assert notebook.kernel.ask("heard") == ["echo there"]
    assert STOPPED in notebook.run("!pip install tearable==2.0")
    notebook.run("shell.system = inner")


def test_unloading_restores_everything(notebook: Notebook) -> None:
    notebook.run("%unload_ext tierproof")
    state = (
        "[bool({'system', 'getoutput', 'var_expand', 'system_raw'} & set(get_ipython().__dict__)),"
        " len(get_ipython().ast_transformers), 'tierproof' in get_ipython().magics_manager.magics['line'],"
        " get_ipython().magics_manager.magics['cell']['bash'].__module__]"
    )
    assert notebook.kernel.ask(state) == [False, 0, False, "IPython.core.magics.script"]
    assert "ERROR" not in notebook.run("!uv pip install -q tearable==2.0")
    assert "ERROR" not in notebook.run("!uv pip install -q tearable==1.0")
    notebook.run("%load_ext tierproof")
    assert STOPPED in notebook.run("!pip install tearable==2.0")
    notebook.run("%unload_ext tierproof")

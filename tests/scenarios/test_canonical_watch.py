"""The canonical failure under the watch, with numpy itself: stopped in every spelling, told when let through."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator

import pytest

from extension.light_kernel import Notebook
from guard.notebook_kernel import make_environment, start_kernel

pytest.importorskip("ipykernel", reason="comes with the test group")
pytestmark = [pytest.mark.slow, pytest.mark.skipif(sys.platform != "linux", reason="needs /proc")]


@pytest.fixture(scope="module")
def notebook(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Notebook]:
    folder = tmp_path_factory.mktemp("canonical")
    python = make_environment(
        folder / "env", "numpy==2.0.2", "pandas==2.2.3", "ipykernel", "packaging", "click", "uv"
    )
    (folder / "data").mkdir()
    with pytest.MonkeyPatch.context() as monkeypatch:
        monkeypatch.setenv("PATH", f"{python.parent}{os.pathsep}{os.environ['PATH']}")
        monkeypatch.setenv("VIRTUAL_ENV", str(python.parent.parent))
        with start_kernel(python, folder / "data") as kernel:
            notebook = Notebook(kernel)
            assert notebook.run("%load_ext tierproof\nimport numpy, pandas, subprocess, sys") == ""
            yield notebook


def on_disk(notebook: Notebook) -> str:
    return str(notebook.kernel.ask("__import__('importlib.metadata').metadata.version('numpy')"))


@pytest.mark.parametrize(
    "cell",
    [
        "!pip install numpy==2.3.4",
        "%pip install numpy==2.3.4",
        "%uv pip install numpy==2.3.4",
        "!uv pip install -U numpy",
        "%%bash\nset -e\npip install -q numpy==2.3.4",
        "v = 'numpy==2.3.4'\n!pip install $v",
        "subprocess.run([sys.executable, '-m', 'pip', 'install', 'numpy==2.3.4'])",
        "!pip install --force-reinstall pandas==2.2.3",
        "!pip install pandas==2.2.2",
    ],
)
def test_stopped_with_numpy_untouched(notebook: Notebook, cell: str) -> None:
    seen = notebook.run(cell)
    assert "ERROR InstallStopped" in seen
    assert on_disk(notebook) == "2.0.2"
    assert "ERROR" not in notebook.run("import numpy.strings, numpy.ma")


def test_additions_go_through_and_the_kernel_lives(notebook: Notebook) -> None:
    assert "InstallStopped" not in notebook.run("!pip install -q colorlog==6.8.0")
    assert "ERROR" not in notebook.run("import colorlog")
    assert "ERROR" not in notebook.run("%tierproof install 'optuna>=4' --no-trial")
    assert "ERROR" not in notebook.run("import optuna")


def test_the_check_after_a_cell_is_cheap(notebook: Notebook) -> None:
    notebook.run(
        "import time\nwatch = get_ipython()._tierproof_extension.watch\n"
        "asked = []; watch._tears._diagnose, kept = lambda: asked.append(1), watch._tears._diagnose\n"
        "for _ in range(5): watch.after_cell()\n"
        "watch._tears._diagnose = kept"
    )
    assert notebook.kernel.ask("asked") == []  # no file changed: the doctor is not asked


def test_let_through_then_told_and_healed(notebook: Notebook) -> None:
    seen = notebook.run("!pip install -q numpy==2.3.4  # tierproof: allow")
    assert "numpy: this kernel runs another version" in seen
    assert "2.0.2 is loaded, 2.3.4 is on disk" in seen
    assert "healed: numpy 2.0.2" in notebook.run("%tierproof heal")
    assert "ERROR" not in notebook.run(
        "import numpy.strings, numpy.ma, numpy.fft; pandas.DataFrame({'a': [1]}).sum()"
    )
    assert on_disk(notebook) == "2.0.2"

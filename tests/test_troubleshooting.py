"""Every entry of the troubleshooting guide is the text of a real error: each is provoked, and compared."""

from __future__ import annotations

import gc
import os
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
GUIDE = ROOT / "docs" / "troubleshooting.md"
SCENARIOS = ROOT / "tests" / "scenarios" / "test_hosted_notebooks.py"

TEAR = """
import subprocess, sys
import numpy
subprocess.run([{uv!r}, "pip", "install", "-q", "--python", sys.executable, "numpy==2.3.4"], check=True)
import numpy.strings
"""


def read_entries() -> list[str]:
    return re.findall(r"^## `(.+)`$", GUIDE.read_text(encoding="utf-8"), re.MULTILINE)


def told(action: Callable[[], object]) -> str:
    with pytest.raises(Exception) as caught:
        action()
    return f"{caught.type.__name__}: {caught.value}"


def run_in_environment(folder: Path, packages: tuple[str, ...], code: str) -> str:
    """What a Python with just these packages writes to stderr."""
    from guard.notebook_kernel import find_uv

    uv = find_uv()
    python = folder / "bin" / "python"
    subprocess.run(
        [uv, "venv", "-q", "--no-python-downloads", "--python", sys.executable, folder], check=True
    )
    command = [uv, "pip", "install", "-q", "--no-deps", "--python", str(python), *packages]
    if subprocess.run(command, check=False, capture_output=True).returncode:
        pytest.skip("no package index, or no such wheels for this Python")
    variables = {name: value for name, value in os.environ.items() if not name.startswith("PYTHON")}
    ran = subprocess.run(
        [python, "-c", code.format(uv=uv)],
        capture_output=True,
        text=True,
        check=False,
        env=variables,
    )
    return ran.stderr


def provoke_center(folder: Path) -> str:
    return run_in_environment(folder, ("numpy==2.0.2",), TEAR)


def provoke_size_changed(folder: Path) -> str:
    packages = ("numpy==2.0.2", "pandas==2.1.4", "python-dateutil", "pytz", "tzdata", "six")
    return run_in_environment(folder, packages, "import pandas")


def provoke_array_api(folder: Path) -> str:
    return run_in_environment(folder, ("numpy==2.0.2", "numexpr==2.8.4"), "import numexpr")


def provoke_restart(_: Path) -> str:
    from tierproof.guard.mend.diagnosis import Diagnosis
    from tierproof.guard.mend.torn import Remedy, TearSign, TornPackage
    from tierproof.session import kernel_health

    torn = TornPackage(
        "numpy", "2.0.2", "2.3.4", (TearSign.IMPORTED_WHILE_TORN,), Remedy.RESTART, "It is torn."
    )
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(kernel_health, "doctor", lambda: Diagnosis((torn,), 1, 0.0))
        return str(kernel_health.heal_kernel())


def provoke_pip_conflict(folder: Path) -> str:
    from extension.light_kernel import make_light_environment
    from guard.wheelhouse import Wheelhouse

    house = Wheelhouse(folder / "house")
    house.add("wanted", "1.0")
    house.add("wanted", "2.0")
    house.add("needs-old", "1.0", "wanted<2")
    python = make_light_environment(folder / "env")
    pip = [python, "-m", "pip", "--isolated", "install", "-q", "--index-url", house.url]
    subprocess.run([*pip, "needs-old"], check=True)
    return subprocess.run([*pip, "wanted==2.0"], capture_output=True, text=True, check=False).stderr


def provoke_stop(_: Path) -> str:
    pytest.importorskip("IPython")
    from tierproof.extension.advice import make_stop
    from tierproof.extension.extension import make_rejection
    from tierproof.guard.commands.pip_command import parse_pip_commands
    from tierproof.guard.foresee.foreseen import Change, Foreseen

    (command,) = parse_pip_commands("pip uninstall -y numpy")
    foreseen = Foreseen(command, (Change("numpy", "2.0.2", "", loaded=True),))
    return str(make_rejection(make_stop([foreseen], 1.0)))


def provoke_captum(_: Path) -> str:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sys, "path", [])  # whether or not it is installed here
        patch.delitem(sys.modules, "captum", raising=False)
        return told(lambda: __import__("captum"))


def provoke_no_torch(_: Path) -> str:
    import tierproof as tp

    check = tp.check
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("tierproof._optional.importlib.import_module", _absent)
        return told(lambda: check("no.module:thing"))


def _absent(name: str) -> object:
    raise ModuleNotFoundError(f"No module named {name!r}", name=name)


def provoke_progress_bar(_: Path) -> str:
    tqdm = pytest.importorskip("tqdm.notebook")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(tqdm, "IProgress", None)
        patch.setattr(tqdm.tqdm, "disp", lambda *_, **__: None, raising=False)  # its end wants one
        text = told(lambda: tqdm.tqdm(range(1)))
        gc.collect()
        return text


def provoke_index(_: Path) -> str:
    import torch

    return told(lambda: torch.nn.Embedding(4, 2)(torch.tensor([4])))


def provoke_forward(_: Path) -> str:
    import torch

    import tierproof as tp

    class Picky(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.layer = torch.nn.Linear(3, 3)

        def forward(self, thing: object) -> object:
            raise ValueError(f"nothing like {getattr(thing, 'shape', thing)} is good enough")

    return told(lambda: tp.check(Picky(), progress=False))


def provoke_unpinned(folder: Path) -> str:
    from tierproof.model.load import load_gist
    from tierproof.model.load.target import GistTarget

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(load_gist, "_fetch_files", lambda *_: {"model.py": b""})
        return told(
            lambda: load_gist.load_gist(
                GistTarget("abc"), trust=False, gist_url="", cache=folder, data=folder
            )
        )


def provoke_upload(_: Path) -> str:
    from tierproof.session.colab import upload_files

    return told(upload_files)


def provoke_no_model(folder: Path) -> str:
    from tierproof.session.results_folder import ResultsFolder
    from tierproof.session.session import Session

    return str(Session("validate", ResultsFolder(folder)).check())


def provoke_cuda(_: Path) -> str:
    import torch

    if not torch.cuda.is_available():
        pytest.skip("needs a GPU")
    return told(lambda: torch.empty(1 << 50, dtype=torch.uint8, device="cuda"))


PROVOKED: dict[str, Callable[[Path], str]] = {
    "it has to be restarted": provoke_restart,
    "ERROR: pip's dependency resolver does not currently take into account all the packages that are installed": provoke_pip_conflict,
    "the cell was not run: it would change": provoke_stop,
    "No module named 'captum'": provoke_captum,
    "is needed to check a model, and is not installed": provoke_no_torch,
    "IProgress not found. Please update jupyter and ipywidgets": provoke_progress_bar,
    "index out of range in self": provoke_index,
    "raised on every input tried": provoke_forward,
    "is not pinned: its code can change at any time": provoke_unpinned,
    "this notebook has no upload dialog": provoke_upload,
    "no model is chosen": provoke_no_model,
}
PROVOKED_SLOWLY: dict[str, Callable[[Path], str]] = {
    "cannot import name '_center' from 'numpy._core.umath'": provoke_center,
    "numpy.dtype size changed, may indicate binary incompatibility": provoke_size_changed,
    "_ARRAY_API not found": provoke_array_api,
}
ON_A_GPU: dict[str, Callable[[Path], str]] = {"CUDA out of memory": provoke_cuda}
IN_A_SCENARIO = {"was not made on this machine, and you have not trusted it here before"}
ON_COLAB_ALONE = {"You must restart the runtime in order to use newly installed versions"}


def test_every_entry_is_accounted_for_and_no_other() -> None:
    known = {*PROVOKED, *PROVOKED_SLOWLY, *ON_A_GPU, *IN_A_SCENARIO, *ON_COLAB_ALONE}
    entries = read_entries()
    assert len(entries) == len(set(entries))
    assert set(entries) == known
    scenarios = SCENARIOS.read_text(encoding="utf-8")
    assert [text for text in IN_A_SCENARIO if text not in scenarios] == []


@pytest.mark.parametrize("entry", PROVOKED)
def test_the_entry_is_what_the_error_says(entry: str, tmp_path: Path) -> None:
    assert entry in PROVOKED[entry](tmp_path)


@pytest.mark.slow
@pytest.mark.parametrize("entry", PROVOKED_SLOWLY)
def test_the_entry_is_what_numpy_says(entry: str, tmp_path: Path) -> None:
    assert entry in PROVOKED_SLOWLY[entry](tmp_path / "env")


@pytest.mark.gpu
@pytest.mark.parametrize("entry", ON_A_GPU)
def test_the_entry_is_what_the_gpu_says(entry: str, tmp_path: Path) -> None:
    assert entry in ON_A_GPU[entry](tmp_path)

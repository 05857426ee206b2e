"""`tierproof plan` in a real process, on a real environment, with real uv."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import venv
from pathlib import Path

import pytest

import tierproof as tp
from cli.command import run
from guard.wheelhouse import Wheelhouse

# The oldest that has a wheel for this Python, of those that Colab has had.
LOADED = "2.0.2" if sys.version_info < (3, 13) else "2.1.3"
SOURCE = Path(__file__).resolve().parents[3] / "src"


@pytest.fixture
def house(tmp_path: Path) -> Wheelhouse:
    house = Wheelhouse(tmp_path / "house")
    house.add("capt", "0.9", "packaging")
    return house


def test_json_is_one_document(house: Wheelhouse, tmp_path: Path) -> None:
    result = run(tmp_path, "plan", "capt", "--json", fake=False, env=house.environment)
    assert result.returncode == 0, result.stderr
    document = json.loads(result.stdout)
    assert document["verdict"] == "additive"
    assert [item["name"] for item in document["add"]] == ["capt"]
    assert document["base"] == "here"


def test_exit_codes(house: Wheelhouse, tmp_path: Path) -> None:
    house.add("packaging", "19.0")
    assert run(tmp_path, "plan", "packaging==19.0", fake=False, env=house.environment).returncode == 1
    unknown = run(tmp_path, "plan", "nowhere-at-all", "--json", fake=False, env=house.environment)
    assert (unknown.returncode, unknown.stdout) == (2, "")
    assert "no package index has a package named 'nowhere-at-all'" in unknown.stderr
    bad = run(tmp_path, "plan", "packaging=19", fake=False, env=house.environment)
    assert bad.returncode == 2
    assert "packaging==19" in bad.stderr


def test_the_function_gives_the_same_document(house: Wheelhouse, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in house.environment.items():
        monkeypatch.setenv(name, value)
    plan = tp.plan("capt")
    assert plan.verdict == "additive"
    assert plan.to_dict()["requested"] == ["capt"]


@pytest.fixture(scope="session")
def real(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The interpreter of an environment with an older numpy, click and rich, as an index gave them."""
    folder = tmp_path_factory.mktemp("real") / "env"
    venv.create(folder, with_pip=False)
    python = folder / "bin" / "python"
    uv = [sys.executable, "-m", "uv", "pip", "install", "--quiet", "--python", str(python)]
    installed = subprocess.run(
        [*uv, f"numpy=={LOADED}", "click", "rich", "packaging", "uv"],
        capture_output=True,
        text=True,
        timeout=200,
        check=False,
    )
    if installed.returncode:
        pytest.skip(f"no package index is reachable: {installed.stderr[-200:]}")
    return python


def ask(python: Path, folder: Path, code: str) -> dict[str, object]:
    environment = {**os.environ, "PYTHONPATH": str(SOURCE)}
    result = subprocess.run(
        [python, "-c", code],
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
        timeout=200,
        check=False,
    )
    assert result.returncode == 0, result.stderr
    return dict(json.loads(result.stdout))


PLAN = "import json, tierproof as tp; print(json.dumps(tp.plan({!r}).to_dict()))"


def test_real_loaded_numpy_is_kept(real: Path, tmp_path: Path) -> None:
    document = ask(real, tmp_path, "import numpy\n" + PLAN.format("numpy==2.3.4"))
    assert document["verdict"] == "isolated"
    assert document["touches_loaded"] == ["numpy"]
    assert document["conflicts"] == [
        {"package": "numpy", "installed": LOADED, "required": "==2.3.4", "required_by": "the request"}
    ]


def test_real_numpy_that_nobody_loaded_may_be_shadowed(real: Path, tmp_path: Path) -> None:
    document = ask(real, tmp_path, PLAN.format("numpy==2.3.4"))
    assert document["verdict"] == "shadow"
    assert [item["version"] for item in document["shadows"]] == ["2.3.4"]  # type: ignore[attr-defined]


def test_real_addition_leaves_numpy(real: Path, tmp_path: Path) -> None:
    document = ask(real, tmp_path, "import numpy\n" + PLAN.format("pandas"))
    assert document["verdict"] == "additive"
    assert {"name": "numpy", "version": LOADED} in document["reuse"]  # type: ignore[operator]
    assert "numpy" not in [item["name"] for item in document["add"]]  # type: ignore[attr-defined]

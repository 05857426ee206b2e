"""The distribution as a user gets it: built, judged by twine, installed into an empty environment."""

from __future__ import annotations

import importlib.util
import os
import subprocess
import sys
import tarfile
import venv
import zipfile
from email.message import Message
from email.parser import Parser
from pathlib import Path

import pytest

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(
        not all(importlib.util.find_spec(name) for name in ("build", "twine")),
        reason="needs the package group",
    ),
]

ROOT = Path(__file__).resolve().parent.parent


def run(*command: object, cwd: Path, expect: int = 0) -> subprocess.CompletedProcess[str]:
    """Run a command away from the repository and expect its exit code."""
    environment = {
        name: value
        for name, value in os.environ.items()
        if name not in ("PYTHONPATH", "COVERAGE_PROCESS_START", "COVERAGE_PROCESS_CONFIG")
    }
    environment |= {"COLUMNS": "100", "NO_COLOR": "1"}
    result = subprocess.run(
        [str(part) for part in command], cwd=cwd, env=environment, capture_output=True, text=True, check=False
    )
    assert result.returncode == expect, f"{command}\n{result.stdout}\n{result.stderr}"
    return result


@pytest.fixture(scope="module")
def distributions(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the wheel and the sdist (`python -m build` builds the wheel from the sdist)."""
    folder = tmp_path_factory.mktemp("dist")
    run(sys.executable, "-m", "build", "--outdir", folder, ROOT, cwd=folder)
    return folder


@pytest.fixture(scope="module")
def wheel(distributions: Path) -> Path:
    (path,) = distributions.glob("*.whl")
    return path


@pytest.fixture(scope="module")
def metadata(wheel: Path) -> Message:
    with zipfile.ZipFile(wheel) as archive:
        (name,) = (name for name in archive.namelist() if name.endswith(".dist-info/METADATA"))
        return Parser().parsestr(archive.read(name).decode())


@pytest.fixture(scope="module")
def installed(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The scripts folder of an environment that holds the wheel and its required dependencies, no torch."""
    folder = tmp_path_factory.mktemp("empty") / "env"
    venv.create(folder, with_pip=True)
    scripts = folder / "bin"
    pip = (scripts / "python", "-m", "pip", "install", "--quiet", "--disable-pip-version-check")
    run(*pip, "--no-deps", wheel, cwd=folder)
    run(*pip, "click", "rich", "jinja2", "packaging", "uv", cwd=folder)
    return scripts


def test_twine_accepts_both(distributions: Path) -> None:
    files = sorted(distributions.iterdir())
    assert [path.suffix for path in files] == [".whl", ".gz"]
    run(sys.executable, "-m", "twine", "check", "--strict", *files, cwd=distributions)


def test_wheel_holds_the_package_and_nothing_else(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        names = archive.namelist()
    assert {name.partition("/")[0].partition("-")[0] for name in names} == {"tierproof"}
    assert "tierproof/py.typed" in names
    assert any(name.endswith("/licenses/LICENSE") for name in names)
    unexpected = [
        n
        for n in names
        if ".dist-info/" not in n and Path(n).suffix not in (".py", ".typed", ".j2", ".html", ".css")
    ]
    assert unexpected == []
    assert not any("test" in Path(name).name for name in names)
    sources = {p.relative_to(ROOT / "src").as_posix() for p in (ROOT / "src").rglob("*.py")}
    assert sources <= set(names)


def test_sdist_can_be_tested_from(distributions: Path) -> None:
    (path,) = distributions.glob("*.tar.gz")
    with tarfile.open(path) as archive:
        names = {name.partition("/")[2] for name in archive.getnames()}
    expected = {"LICENSE", "README.md", "CHANGELOG.md", "Makefile", "pyproject.toml", "tests/test_package.py"}
    assert expected | {"scripts/run_demo.py", "examples/broken_gpt.py"} <= names
    assert not any(part in name for name in names for part in ("__pycache__", ".venv", "reports/"))


def test_metadata_requires_no_torch(metadata: Message) -> None:
    required = [item for item in metadata.get_all("Requires-Dist", []) if "extra ==" not in item]
    assert sorted(item.partition(">")[0].strip() for item in required) == [
        "click",
        "jinja2",
        "packaging",
        "rich",
        "uv",
    ]
    assert metadata["License-Expression"] == "Apache-2.0"
    assert metadata["Requires-Python"] == ">=3.11"


def test_help_and_version_work_without_torch(installed: Path, tmp_path: Path) -> None:
    assert "check" in run(installed / "tierproof", "--help", cwd=tmp_path).stdout
    version = run(
        installed / "python", "-c", "import tierproof; print(tierproof.__version__)", cwd=tmp_path
    ).stdout
    assert version.strip() in run(installed / "tierproof", "--version", cwd=tmp_path).stdout
    run(installed / "python", "-m", "pip", "check", cwd=tmp_path)


def test_check_without_torch_shows_what_is_missing(installed: Path, tmp_path: Path) -> None:
    (tmp_path / "x.py").write_text("import torch\nmodel = torch.nn.Linear(2, 2)\n", encoding="utf-8")
    result = run(installed / "tierproof", "check", "x.py", "-o", "report.html", cwd=tmp_path, expect=2)
    assert "torch is needed" in result.stderr
    assert "pip install torch" in result.stderr
    assert "Traceback" not in result.stderr
    assert result.stdout == ""
    assert sorted(path.name for path in tmp_path.iterdir()) == ["x.py"]

"""The layers hold, and every contract that says so bites: in each room an import is planted that it forbids."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any, NamedTuple

import pytest

pytest.importorskip("importlinter", reason="comes with the lint group")

ROOT = Path(__file__).resolve().parent.parent
CONTRACTS = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["importlinter"]["contracts"]
LAYERS = "Layers: each imports only what lies below it"
NO_TORCH = "The core, the guard and the images import no torch, numpy or matplotlib"
# Lints the package in ./src as it is, then once for each statement planted in it, in one process that reads only
# the planted file again; a plant is judged by the contract it is to break.
LINT = """
import contextlib, json, sys
from copy import copy
from pathlib import Path
sys.path.insert(0, "src")
from importlinter.application import use_cases
from importlinter.configuration import configure
configure()
with contextlib.redirect_stdout(sys.stderr):
    holds = use_cases.lint_imports(cache_dir="cache")
options = use_cases.read_user_options()

def is_kept(name):
    limited = copy(options)
    limited.contracts_options = [each for each in options.contracts_options if each["name"] == name]
    report = use_cases.create_report(limited, cache_dir="cache")
    ((_, check),) = report.get_contracts_and_checks()
    return check.kept

kept = {}
for file, statement, contract in json.load(sys.stdin):
    path = Path("src", file)
    text = path.read_text(encoding="utf-8")
    path.write_text(f"{text}\\n{statement}\\n", encoding="utf-8")
    kept[f"{file}: {statement}"] = is_kept(contract)
    path.write_text(text, encoding="utf-8")
json.dump({"holds": holds, "kept": kept}, sys.stdout)
"""


class Plant(NamedTuple):
    """A statement that is added to `file`, below src, and the contract that forbids it."""

    file: str
    statement: str
    contract: str


def split_layers(contract: dict[str, list[str]]) -> list[list[str]]:
    """The rooms of each layer as dotted names, the highest layer first."""
    (container,) = contract["containers"]
    return [[f"{container}.{room.strip()}" for room in layer.split("|")] for layer in contract["layers"]]


def choose_file(room: str) -> str:
    """A file of the room, below src: not its `__init__` where it has another."""
    path = ROOT / "src" / Path(*room.split("."))
    if not path.is_dir():
        return f"{room.replace('.', '/')}.py"
    files = sorted(path.rglob("*.py"), key=lambda file: (file.name == "__init__.py", file))
    return files[0].relative_to(ROOT / "src").as_posix()


def list_plants() -> list[Plant]:
    """For each room one import of the room next above, or of one beside it where none is above."""
    contracts = [contract for contract in CONTRACTS if contract["type"] == "layers"]
    (outer,) = (split_layers(contract) for contract in contracts if contract["containers"] == ["tierproof"])
    plants = []
    for contract in contracts:
        layers = split_layers(contract)
        for number, layer in enumerate(layers):
            for room in layer:
                name = contract["name"]
                if number:
                    forbidden = layers[number - 1][0]
                elif len(layer) > 1:
                    forbidden = next(other for other in layer if other != room)
                else:
                    name, forbidden = LAYERS, find_above(contract["containers"][0], outer)
                plants.append(Plant(choose_file(room), f"import {forbidden}", name))
    return plants


def find_above(package: str, layers: list[list[str]]) -> str:
    """A package of the layer above, or beside."""
    number = next(
        at for at, layer in enumerate(layers) if any(f"{package}.".startswith(f"{room}.") for room in layer)
    )
    return layers[number - 1][0] if number else next(other for other in layers[0] if other != package)


PLANTS = [
    *list_plants(),
    Plant("tierproof/core/verdict.py", "from tierproof.model.call import spec", LAYERS),
    Plant("tierproof/core/verdict.py", "import torch", NO_TORCH),
    Plant("tierproof/checks/check.py", "from tierproof.api import check", LAYERS),
    Plant("tierproof/guard/capture/base.py", "def later():\n    import numpy", NO_TORCH),
]


@pytest.fixture(scope="module")
def linted(tmp_path_factory: pytest.TempPathFactory) -> Any:
    """Does the package hold as it is, and is the contract of each plant kept with the plant?"""
    folder = tmp_path_factory.mktemp("layers")
    shutil.copy(ROOT / "pyproject.toml", folder)
    shutil.copytree(ROOT / "src", folder / "src", ignore=shutil.ignore_patterns("__pycache__"))
    done = subprocess.run(
        [sys.executable, "-c", LINT],
        cwd=folder,
        env={name: value for name, value in os.environ.items() if not name.startswith("COV")},
        input=json.dumps(PLANTS),
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    return json.loads(done.stdout.splitlines()[-1])


def test_layers_hold(linted: Any) -> None:
    assert linted["holds"] is True


@pytest.mark.parametrize("plant", PLANTS, ids=lambda plant: f"{plant.file}-{plant.statement}")
def test_a_planted_upward_import_is_caught(linted: Any, plant: Plant) -> None:
    assert linted["kept"][f"{plant.file}: {plant.statement}"] is False


def test_the_command_fails_on_what_is_planted(tmp_path: Path) -> None:
    """`lint-imports` itself, as `make lint` runs it."""
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    shutil.copytree(ROOT / "src", tmp_path / "src", ignore=shutil.ignore_patterns("__pycache__"))
    path = tmp_path / "src" / "tierproof" / "core" / "verdict.py"
    path.write_text(
        path.read_text(encoding="utf-8") + "\nfrom tierproof.model.call import spec\n", encoding="utf-8"
    )
    code = (
        "import sys; sys.path.insert(0, 'src');"
        "from importlinter.cli import lint_imports_command; lint_imports_command()"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, "--no-cache"], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert done.returncode == 1, done.stdout
    assert "BROKEN" in done.stdout


def test_every_folder_of_a_package_is_a_room_with_a_plant() -> None:
    packages = {contract["containers"][0] for contract in CONTRACTS if contract["type"] == "layers"}
    planted = {plant.file for plant in PLANTS}
    for package in packages:
        folder = ROOT / "src" / Path(*package.split("."))
        rooms = [path for path in folder.iterdir() if (path / "__init__.py").exists()]
        assert rooms
        for room in rooms:
            place = room.relative_to(ROOT / "src").as_posix()
            assert any(file.startswith(f"{place}/") for file in planted), place

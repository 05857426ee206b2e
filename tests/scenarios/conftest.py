"""One environment like Colab's for all tests of notebooks, and a copy of it for each runtime."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from notebooks.colab_base import build_wheel, copy_base, find_base
from notebooks.colab_kernel import Runtime


@pytest.fixture(scope="session")
def base() -> Path:
    pytest.importorskip("jupyter_client", reason="comes with the test group")
    return find_base()


@pytest.fixture(scope="session")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build_wheel(tmp_path_factory.mktemp("wheel"))


@pytest.fixture
def make_runtime(base: Path, wheel: Path, tmp_path: Path) -> Iterator[Callable[..., Runtime]]:
    """Make fresh machines; they are removed afterwards."""
    made: list[Path] = []

    def make(name: str = "machine", *, colab: bool = False) -> Runtime:
        folder = tmp_path / name
        folder.mkdir()
        made.append(folder)
        more = {"TIERPROOF_DRIVE": str(folder / "content" / "drive")}
        return Runtime(copy_base(base, folder / "env"), folder, wheel, colab, more)

    yield make
    for folder in made:
        shutil.rmtree(folder, ignore_errors=True)

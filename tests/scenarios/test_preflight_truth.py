"""What preflight foresees, against real installs: the benchmark of that, on a few packages."""

from __future__ import annotations

import importlib
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import pytest

from tierproof.images.lists.image_index import Image

pytest.importorskip("uv")
_FOLDER = str(Path(__file__).resolve().parents[2] / "benchmarks")
_PINS = [
    "pip==24.1.2",
    "setuptools==75.2.0",
    "numpy==2.0.2",
    "pandas==2.2.2",
    "python-dateutil==2.9.0.post0",
    "pytz==2025.2",
    "tzdata==2025.3",
    "six==1.17.0",
    "requests==2.32.4",
    "urllib3==2.5.0",
    "idna==3.11",
    "charset-normalizer==3.4.4",
    "certifi==2026.1.4",
    "packaging==25.0",
    "click==8.3.1",
    "rich==13.9.4",
    "markdown-it-py==4.0.0",
    "mdurl==0.1.2",
    "Pygments==2.19.2",
    "Jinja2==3.1.6",
    "MarkupSafe==3.0.3",
]
_VERDICTS = {
    ("numpy<2.1",): "satisfied",
    ("tabulate", "tqdm==4.67.1"): "additive",
    ("requests<2.32",): "shadow",
    ("numpy==2.3.4",): "isolated",
    ("scikit-learn==1.2.2",): "infeasible",
    ("tierproof-has-no-such-package",): "unknown",
}
pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]


@pytest.fixture(scope="module")
def truth() -> Iterator[ModuleType]:
    sys.path.insert(0, _FOLDER)
    try:
        yield importlib.import_module("truth")
    finally:
        sys.path.remove(_FOLDER)


def test_verdicts_agree_with_real_installs(truth: ModuleType, tmp_path: Path) -> None:
    interpreter = truth.find_interpreter("3.12")
    if not interpreter:
        pytest.skip("no CPython 3.12 here")
    listed = tmp_path / "list.txt"
    listed.write_text("\n".join(_PINS))
    image = Image("test:1", "cpu", listed, "", "Ubuntu 22.04.5 LTS")
    names = [each.partition("==")[0].lower() for each in _PINS]
    try:
        subset = truth.make_subset(image, interpreter, tmp_path / "subset", names, "import numpy, pandas")
    except subprocess.CalledProcessError as error:
        pytest.skip(f"no package index: {error}")
    assert {"numpy", "pandas"} <= subset.loaded
    before = truth.stamp(subset.folder)
    compared = truth.compare(subset, list(_VERDICTS))
    assert {each.request: each.verdict for each in compared} == _VERDICTS
    assert [each.differences for each in compared] == [()] * len(compared)
    assert truth.stamp(subset.folder) == before

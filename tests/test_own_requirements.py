"""Installing tierproof itself changes nothing that is installed on any image: its needs are met there, uv aside."""

from __future__ import annotations

import os
import tomllib
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.version import Version

from tierproof.images.lists.image_contents import read_contents
from tierproof.images.lists.image_index import read_index

SHARED = Path(os.environ.get("TIERPROOF_SHARED") or Path(__file__).resolve().parents[2] / "shared")
IMAGES = SHARED / "runtimes" / "colab"
PROJECT = tomllib.loads((Path(__file__).resolve().parents[1] / "pyproject.toml").read_text())["project"]


@pytest.mark.skipif(not (IMAGES / "index.json").exists(), reason="the image lists lie in TIERPROOF_SHARED")
def test_every_image_with_a_python_that_will_do_has_all_but_uv() -> None:
    oldest = PROJECT["requires-python"]
    images = [
        each
        for each in read_index(IMAGES)
        if each.python and Requirement(f"x{oldest}").specifier.contains(each.python)
    ]
    assert len(images) >= 25
    assert {each.hardware for each in images} == {"cpu", "gpu", "tpu"}
    for image in images:
        versions = {item.name: item.version for item in read_contents(image).file.packages}
        unmet = [
            need.name
            for need in map(Requirement, PROJECT["dependencies"])
            if need.name not in versions or not need.specifier.contains(Version(versions[need.name]))
        ]
        assert unmet == ["uv"], image.label

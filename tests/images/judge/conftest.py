"""An index made here, for the tests of installs on images."""

from __future__ import annotations

from pathlib import Path

import pytest

from guard.wheelhouse import Wheelhouse


@pytest.fixture
def house(tmp_path: Path) -> Wheelhouse:
    house = Wheelhouse(tmp_path / "house")
    for version in ("1.0", "2.0"):
        house.add("numb", version)
        house.add("wide", version)
    house.add("pand", "1.0", "numb<2")
    house.add("capt", "0.9", "numb>=1")
    house.add("needy", "1.0", "numb>=2")
    house.add("gets", "1.0", "wide>=2")
    house.add("native", "1.0", tag="cp310-cp310-manylinux_2_17_x86_64")
    house.add("over", "1.0", "capt==0.9")
    house.add("other", "1.0", "capt<0.9")
    house.add("capt", "0.8", "numb>=1")
    return house

"""An index made here, for the tests of plans."""

from __future__ import annotations

from pathlib import Path

import pytest

from guard.wheelhouse import Wheelhouse


@pytest.fixture
def house(tmp_path: Path) -> Wheelhouse:
    house = Wheelhouse(tmp_path / "house")
    house.add("numb", "2.0.2")
    house.add("numb", "2.3.4")
    return house

"""Where packages do not fit together, the order in which pip settles them decides what is replaced.

Each answer is what pip 24.1 gives for packages of these shapes; uv alone gives another one for some.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from guard.wheelhouse import Wheelhouse, make_base
from tierproof.guard.capture.base import Base
from tierproof.guard.commands.pip_command import parse_pip_commands
from tierproof.guard.foresee.foresee_pip import foresee

pytest.importorskip("uv")

Answer = tuple[dict[str, str], tuple[str, ...]]


@pytest.fixture
def house(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Wheelhouse:
    monkeypatch.chdir(tmp_path)
    return Wheelhouse(tmp_path / "house")


def look(house: Wheelhouse, text: str, base: Base) -> Answer:
    """What is replaced, version by name, and what is added."""
    (command,) = parse_pip_commands(text, {})
    variables = {**house.environment, "PATH": "", "PIP_INDEX_URL": house.url, "PIP_CONFIG_FILE": "/dev/null"}
    found = foresee(command, base, environment=variables)
    assert not found.gaps
    return {change.name: change.version for change in found.changes}, found.added


def test_a_package_that_is_settled_later_moves_one_that_was_kept(house: Wheelhouse) -> None:
    house.add("app", "1.0", "proto>=6", "rpc", "status")
    house.add("proto", "6.0")
    house.add("rpc", "2.0")
    house.add("status", "1.5", "proto>=6")
    house.add("status", "2.0", "proto>=6", "rpc>=2")
    base = make_base({"proto": "5.0", "rpc": "1.0", "status": "1.0"}, {"status": ["proto<6"]})
    assert look(house, "pip install app", base) == (
        {"proto": "6.0", "rpc": "2.0", "status": "2.0"},
        ("app 1.0",),
    )


def test_installed_packages_that_pin_each_other_stay_and_a_new_one_comes_older(house: Wheelhouse) -> None:
    house.add("app", "1.0", "exporter", "sdk>=1.30")
    for api, conv in (("1.42", "0.63"), ("1.45", "0.66")):
        house.add("api", api)
        house.add("conv", conv, f"api=={api}")
        house.add("sdk", api, f"api=={api}", f"conv=={conv}")
        house.add("exporter", conv, "api~=1.12", f"sdk~={api}.0")
    base = make_base(
        {"api": "1.42", "conv": "0.63", "sdk": "1.42"},
        {"conv": ["api==1.42"], "sdk": ["api==1.42", "conv==0.63"]},
    )
    assert look(house, "pip install app", base) == ({}, ("app 1.0", "exporter 0.63"))


def test_the_newest_release_is_taken_first_though_an_older_one_would_change_nothing(
    house: Wheelhouse,
) -> None:
    house.add("app", "1.0", "tool[fast]", "numb")
    house.add("numb", "2.0")
    house.add("tool", "1.0", extras=["fast"])
    house.add("tool", "2.0", "numb>=2 ; extra == 'fast'", extras=["fast"])
    base = make_base({"numb": "1.0"})
    assert look(house, "pip install app", base) == ({"numb": "2.0"}, ("app 1.0", "tool 2.0"))


def test_what_does_not_fit_at_all_is_not_invented(house: Wheelhouse) -> None:
    house.add("app", "1.0", "numb>=2")
    house.add("app", "2.0", "numb>=3")
    house.add("numb", "2.0")
    base = make_base({"numb": "1.0"})
    assert look(house, "pip install app", base) == ({"numb": "2.0"}, ("app 1.0",))


def test_what_nothing_asks_for_any_more_is_left_out(house: Wheelhouse) -> None:
    house.add("app", "1.0", "first", "second")
    house.add("first", "1.0", "side")
    house.add("first", "2.0", "other")
    for name in ("side", "other"):
        house.add(name, "1.0")
    house.add("second", "1.0", "first<2")
    assert look(house, "pip install app", make_base({})) == (
        {},
        ("app 1.0", "first 1.0", "second 1.0", "side 1.0"),
    )

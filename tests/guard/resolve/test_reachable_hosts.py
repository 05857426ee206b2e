"""A host that cannot be reached costs its time-out once."""

from __future__ import annotations

import socket
from pathlib import Path

import pytest

from guard.wheelhouse import Wheelhouse, make_base
from tierproof.guard.commands.pip_command import parse_pip_commands
from tierproof.guard.foresee.foresee_pip import foresee
from tierproof.guard.judge.plan import PlanVerdict
from tierproof.guard.resolve import reachable_hosts
from tierproof.guard.resolve.reachable_hosts import find_unreachable, refuse_unreachable

pytest.importorskip("uv")


@pytest.fixture(autouse=True)
def forget(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reachable_hosts, "_known", {})


@pytest.fixture
def tried(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, int]]:
    asked: list[tuple[str, int]] = []

    def connect(place: tuple[str, int], timeout: float) -> socket.socket:
        asked.append(place)
        raise TimeoutError("timed out")

    monkeypatch.setattr(reachable_hosts.socket, "create_connection", connect)
    return asked


def test_a_host_is_tried_once(tried: list[tuple[str, int]]) -> None:
    urls = ["https://a.invalid/x", "https://a.invalid/y", "git+https://a.invalid/z", "file:///tmp", "folder"]
    for _ in range(3):
        assert find_unreachable(urls, {}) == {"a.invalid": "timed out"}
        with pytest.raises(OSError, match=r"a\.invalid cannot be reached: timed out"):
            refuse_unreachable("https://a.invalid/more", {})
    assert tried == [("a.invalid", 443)]
    assert find_unreachable(["http://b.invalid:8080/"], {}) == {"b.invalid": "timed out"}
    assert tried[1:] == [("b.invalid", 8080)]


def test_behind_a_proxy_nothing_is_tried(tried: list[tuple[str, int]]) -> None:
    for name in ("https_proxy", "HTTPS_PROXY", "ALL_PROXY"):
        assert find_unreachable(["https://a.invalid/"], {name: "http://proxy:3128"}) == {}
    assert tried == []


def test_a_further_index_is_left_out_and_named(house: Wheelhouse, tried: list[tuple[str, int]]) -> None:
    command = "pip install capt --extra-index-url https://a.invalid/whl -f https://b.invalid/links"
    (parsed,) = parse_pip_commands(command, {})
    environment = {**house.environment, "PIP_INDEX_URL": house.url, "PIP_CONFIG_FILE": "/dev/null"}
    environment.pop("UV_DEFAULT_INDEX")
    for _ in range(2):
        found = foresee(parsed, make_base({"numb": "1.0"}), environment=environment)
        assert found.added == ("capt 0.9",)
        assert sorted(gap.what for gap in found.gaps) == ["a.invalid", "b.invalid"]
    assert len(tried) == 2


def test_a_wheel_on_a_host_that_is_away_is_a_gap(house: Wheelhouse, tried: list[tuple[str, int]]) -> None:
    plan = house.plan("capt", "https://a.invalid/x-1.0-py3-none-any.whl", base=make_base({"numb": "1.0"}))
    assert (plan.verdict, plan.judged) == (PlanVerdict.UNKNOWN, PlanVerdict.ADDITIVE)
    assert "a.invalid cannot be reached" in plan.explanation


@pytest.fixture
def house(tmp_path: Path) -> Wheelhouse:
    house = Wheelhouse(tmp_path / "house")
    house.add("capt", "0.9")
    return house

from __future__ import annotations

import pytest

from tierproof.checks.registry import load_checks, select_checks
from tierproof.checks.tiers import describe_tiers
from tierproof.errors import UsageError

CHECKS = load_checks()


def codes(**options):
    return [check.code for check in select_checks(CHECKS, **options)]


def test_the_six_are_there_and_codes_are_unique():
    every = codes(tier="all")
    assert {"T1-SHAPE", "T1-GRAD", "T1-STAB", "T1-INIT", "T1-MEM", "T1-SPEED"} <= set(every)
    assert len(every) == len(set(every)) == len(CHECKS)


def test_selection():
    assert codes(only=["T1-MEM"]) == ["T1-MEM"]
    assert codes(only=["t1-s"]) == [
        "T1-SHAPE",
        "T1-STAB",
        "T1-SCALAR",
        "T1-SKIP",
        "T1-SDPA",
        "T1-SAVE",
        "T1-SPEED",
    ]
    assert "T1-MEM" not in codes(skip=["T1-MEM"])
    assert codes(tier="all") == [*codes(tier=1), *codes(tier=2)]


@pytest.mark.parametrize(
    "options", [{"tier": 3}, {"only": ["T9"]}, {"skip": ["NOPE"]}, {"only": ["T1-MEM"], "skip": ["T1"]}]
)
def test_bad_selections(options):
    with pytest.raises(UsageError):
        codes(**options)


def test_a_tier_is_loaded_alone_and_only_when_it_is_built():
    assert load_checks(1) == tuple(check for check in CHECKS if check.tier == 1)
    with pytest.raises(UsageError, match="tier 3"):
        load_checks(3)


@pytest.mark.parametrize(
    ("built", "said"), [((1,), "tier 1"), ((1, 2), "tiers 1 and 2"), ((1, 2, 3), "tiers 1, 2 and 3")]
)
def test_the_tiers_that_are_built_are_told(monkeypatch, built, said):
    monkeypatch.setattr("tierproof.checks.tiers.TIERS", dict.fromkeys(built, ()))
    assert describe_tiers() == said

"""Standings have an order, and a fact survives its JSON."""

from __future__ import annotations

import pytest

from tierproof.core.document import DocumentError
from tierproof.core.finding import Finding, Severity
from tierproof.core.standing import Fact, Standing, find_weakest


def test_given_is_the_strongest_and_assumed_the_weakest():
    assert sorted(Standing) == [Standing.ASSUMED, Standing.MEASURED, Standing.DECLARED, Standing.GIVEN]
    with pytest.raises(TypeError):
        assert Standing.GIVEN < "given"


def test_the_weakest_fact_counts():
    facts = [Fact("a", Standing.GIVEN), Fact("b", Standing.ASSUMED), Fact("c", Standing.MEASURED)]
    assert find_weakest(facts) is Standing.ASSUMED
    assert find_weakest([]) is Standing.MEASURED


def test_a_finding_keeps_what_it_rests_on():
    fact = Fact("maximum length", Standing.DECLARED, "64 by config.block_size")
    finding = Finding("T1-X-001", Severity.ERROR, "m", rests_on=(fact,))
    assert finding.to_dict()["rests_on"] == [
        {"fact": "maximum length", "standing": "declared", "value": "64 by config.block_size"}
    ]
    assert Finding.from_dict(finding.to_dict()) == finding


def test_a_document_from_before_is_read():
    document = Finding("T1-X-001", Severity.ERROR, "m").to_dict()
    del document["rests_on"]
    assert Finding.from_dict(document).rests_on == ()


def test_an_unknown_standing_is_refused():
    with pytest.raises(DocumentError, match="'sworn' for `standing`"):
        Fact.from_dict({"fact": "kind", "standing": "sworn", "value": ""})

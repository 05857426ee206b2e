from __future__ import annotations

import json
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tierproof.core.finding import Finding, Severity
from tierproof.core.json_value import to_json_value

values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
)


@given(values)
def test_every_plain_value_becomes_strict_json(value):
    json.dumps(to_json_value(value), allow_nan=False)


def test_non_finite_numbers_have_a_spelling():
    assert to_json_value([math.nan, math.inf, -math.inf]) == ["NaN", "Infinity", "-Infinity"]


@pytest.mark.parametrize("value", [object(), {1: 2}, {"a": {2}}, b"x"])
def test_anything_else_is_refused(value):
    with pytest.raises(TypeError):
        to_json_value(value)


def test_round_trip():
    finding = Finding("T1-X-001", Severity.ERROR, "m", "blocks.0", {"ratio": 2.5}, "h")
    assert Finding.from_dict(finding.to_dict()) == finding
    assert finding.to_dict()["severity"] == "error"

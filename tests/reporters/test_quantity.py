from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tierproof.reporters.measurement_view import lay_out_evidence, lay_out_measurements, list_single_values
from tierproof.reporters.quantity import format_bytes, format_count, format_seconds, format_value, name_of


@pytest.mark.parametrize(
    ("name", "value", "text"),
    [
        ("peak_bytes", 0, "0 B"),
        ("peak_bytes", 1023, "1023 B"),
        ("peak_bytes", 1024, "1.00 KiB"),
        ("peak_bytes", 497_759_232, "474.7 MiB"),
        ("peak_bytes", 2**60, "1024.0 PiB"),
        ("latency_ms", 12.34, "12.3 ms"),
        ("latency_ms", 0.5, "500 µs"),
        ("duration_s", 0, "0 s"),
        ("duration_s", 4.0, "4.0 s"),
        ("duration_s", 200, "3 min 20 s"),
        ("duration_s", 1e9, "1e+09 s"),
        ("wait_us", 1500, "1.5 ms"),
        ("flops", 136_160_000_000, "136.2 GFLOP"),
        ("peak_flops_per_s", 6.11e11, "611.0 GFLOP/s"),
        ("tokens_per_s", 1158.9, "1.16 k/s"),
        ("peak_share", 0.504, "50.4 %"),
        ("dead_percent", 3, "3 %"),
        ("parameters", 124_439_808, "124.4 M"),
        ("parameters", 999_999, "999,999"),
        ("ratio", 0.83, "0.83"),
        ("ratio", 2.5e9, "2.50 G"),
        ("ratio", 10**400, "1e+300"),
        ("ratio", math.nan, "NaN"),
        ("ratio", "NaN", "NaN"),
        ("ratio", -math.inf, "−∞"),
        ("ratio", "Infinity", "∞"),
        ("ok", True, "yes"),
        ("sizes", [-(10**400), 1], "-1e+300, 1"),
        ("ok", None, "–"),
        ("shape", [2, 16, 50257], "2, 16, 50257"),
        ("shape", [], "none"),
        ("sizes_bytes", {"a": 1024, "b": 2048}, "a 1.00 KiB, b 2.00 KiB"),
        ("many", list(range(9)), "0, 1, 2, 3, 4, 5, … (9 in all)"),
        ("nested", [[1], [2], [3]], "3 entries"),
    ],
)
def test_value(name, value, text):
    assert format_value(name, value) == text


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("peak_bytes", "peak"),
        ("bytes", "bytes"),
        ("flops", "FLOPs"),
        ("tokens_per_s", "tokens"),
        ("peak_share", "peak share"),
        ("expected_std", "expected standard deviation"),
        ("", "value"),
    ],
)
def test_name(name, words):
    assert name_of(name) == words


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=12,
)
names = st.text(max_size=6) | st.sampled_from(
    ["peak_bytes", "latency_ms", "x_s", "flops", "a_per_s", "b_share"]
)


@given(st.dictionaries(names, json_values, max_size=4))
def test_any_measurement_has_a_text(measurements):
    view = lay_out_measurements(measurements, most_rows=2)
    evidence = lay_out_evidence(measurements)
    assert len(view.values) + len(view.tables) == len(measurements) == len(evidence)
    for table in view.tables:
        assert all(len(row) == len(table.headers) for row in table.rows)
    assert len(list_single_values(measurements)) <= len(view.values)


@given(st.floats() | st.integers())
def test_any_number_has_a_text(number):
    for unit in ("_bytes", "_s", "_ms", "_us", "_flops", "_flops_per_s", "_per_s", "_share", "_percent", ""):
        assert format_value(f"x{unit}", number)


def test_tables_are_cut_and_say_so():
    view = lay_out_measurements(
        {"cases": [{"batch": n} for n in range(5)], "b": dict.fromkeys("xyz", 1)}, most_rows=2
    )
    assert [(table.title, len(table.rows), table.omitted) for table in view.tables] == [
        ("cases", 2, 3),
        ("b", 2, 1),
    ]


def test_records_with_other_keys_leave_cells_empty():
    (table,) = lay_out_measurements({"cases": [{"a": 1}, {"b": 2}]}).tables
    assert (table.headers, table.rows) == (("a", "b"), (("1", ""), ("", "2")))


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ([[1, 2]] * 3, "3 × 2 matrix"),
        ([[1], [1, 2], []], "3 rows"),
        ([[1, 2]] * 12, "12 × 2 matrix"),
        ([math.nan] * 9, "9 values, 9 non-finite"),
        ([math.inf, *range(8)], "9 values, 0 to 7, 1 non-finite"),
        (["a"] * 9, "a, a, a, a, a, a, … (9 in all)"),
    ],
)
def test_long_lists_are_described(value, text):
    assert lay_out_evidence({"v": value}) == (("v", text),)


def test_plain_functions():
    assert format_count(7) == "7"
    assert format_bytes(1536) == "1.50 KiB"
    assert format_seconds(0.0123) == "12.3 ms"

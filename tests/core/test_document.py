from __future__ import annotations

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tierproof.core.document import (
    DocumentError,
    read_integer,
    read_mapping,
    read_mappings,
    read_number,
    read_text,
    read_texts,
)
from tierproof.errors import TierproofError

READERS = (read_text, read_integer, read_number, read_mapping, read_mappings, read_texts)
VALUES = {
    read_text: "a",
    read_integer: 3,
    read_number: 0.5,
    read_mapping: {"a": 1},
    read_mappings: ({"a": 1},),
    read_texts: ("a", "b"),
}


@pytest.mark.parametrize("read", READERS)
def test_a_value_of_the_right_type_is_given(read):
    value = VALUES[read]
    document = {"key": list(value) if isinstance(value, tuple) else value}
    assert read(document, "key") == value


@pytest.mark.parametrize("read", READERS)
def test_a_missing_key_is_named(read):
    with pytest.raises(DocumentError, match="has no 'key'"):
        read({"other": 1}, "key")


@pytest.mark.parametrize("read", READERS)
def test_a_value_of_another_type_is_shown(read):
    with pytest.raises(DocumentError, match="'key' must be") as caught:
        read({"key": None}, "key")
    assert isinstance(caught.value, TierproofError)
    assert isinstance(caught.value, ValueError)
    assert caught.value.hint


@pytest.mark.parametrize("read", [read_integer, read_number])
def test_a_boolean_is_no_number(read):
    with pytest.raises(DocumentError, match="bool"):
        read({"key": True}, "key")


def test_what_is_no_object_in_a_list_is_left_out():
    assert read_mappings({"key": [{"a": 1}, 2, "x"]}, "key") == ({"a": 1},)


anything = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=6,
)


@given(st.dictionaries(st.sampled_from(["key", "other"]), anything))
def test_any_document_is_read_or_refused(document):
    for read in READERS:
        with contextlib.suppress(DocumentError):
            read(document, "key")

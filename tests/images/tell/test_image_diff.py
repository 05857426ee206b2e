"""What differs between two images."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from packaging.version import Version

from images.published import HAS_REAL_LISTS, REAL_LISTS
from tierproof.images.lists.freeze_file import FreezeFile, FrozenPackage, parse_freeze
from tierproof.images.lists.image_contents import ImageContents, read_contents
from tierproof.images.lists.image_index import Image, read_index
from tierproof.images.tell.image_diff import ChangedPackage, diff_images, is_major

NAMES = st.sampled_from([f"p{number}" for number in range(12)])
VERSIONS = st.builds(
    "{}{}{}".format,
    st.lists(st.integers(0, 3), min_size=1, max_size=3).map(lambda parts: ".".join(map(str, parts))),
    st.sampled_from(["", "rc1", ".post1"]),
    st.sampled_from(["", "+cpu"]),
).map(lambda text: str(Version(text)))
PINS = st.dictionaries(NAMES, VERSIONS, max_size=12)


def make(
    pins: dict[str, str], name: str = "a", python: str = "3.12.12", hardware: str = "cpu"
) -> ImageContents:
    packages = tuple(FrozenPackage(key, version) for key, version in pins.items())
    return ImageContents(Image(name, hardware, Path(), python), FreezeFile(packages))


@given(PINS, PINS)
def test_a_diff_leads_from_one_to_the_other_and_back(first: dict[str, str], second: dict[str, str]) -> None:
    there, back = diff_images(make(first), make(second)), diff_images(make(second), make(first))
    rebuilt = {
        name: version for name, version in first.items() if name not in {each.name for each in there.removed}
    }
    rebuilt |= {each.name: each.after for each in there.changed}
    rebuilt |= {each.name: each.version for each in there.added}
    assert rebuilt == second
    assert (there.added, there.removed) == (back.removed, back.added)
    assert [(each.name, each.before, each.after, each.major) for each in there.changed] == [
        (each.name, each.after, each.before, each.major) for each in back.changed
    ]
    assert there.unchanged == len(first.keys() & second.keys()) - len(there.changed)
    assert all(first[each.name] != second[each.name] for each in there.changed)


@given(PINS)
def test_an_image_does_not_differ_from_itself(pins: dict[str, str]) -> None:
    diff = diff_images(make(pins), make(pins))
    assert (diff.added, diff.removed, diff.changed, diff.unchanged) == ((), (), (), len(pins))
    assert not diff.python_changed


@given(VERSIONS, VERSIONS)
def test_major_means_the_same_in_both_directions(first: str, second: str) -> None:
    assert is_major(first, second) == is_major(second, first)
    assert not is_major(first, first)
    one, other = Version(first), Version(second)
    if one.major or other.major:
        assert is_major(first, second) == (one.major != other.major)
    else:
        assert is_major(first, second) == (one.minor != other.minor)


@pytest.mark.parametrize(
    ("before", "after", "major"),
    [
        ("1.26.4", "2.0.2", True),
        ("2.0.2", "2.1.0", False),
        ("0.22.1", "0.22.2", False),
        ("0.22.1", "0.23.0", True),
        ("0.22", "1.0", True),
        ("0.0.3", "0.0.4", False),
        ("0.0.3", "0.1", True),
        ("0", "0.1", True),
        ("2025.3", "2026.1", True),
        ("1.0", "1!0.9", True),
        ("2.9.0+cpu", "2.9.0+cu126", False),
        ("2", "2.0.1", False),
        ("0", "0.0", False),
        ("3.0rc1", "3.0", False),
    ],
)
def test_major(before: str, after: str, major: bool) -> None:
    assert is_major(before, after) is major


def test_native_code_is_told_denied_or_not_known() -> None:
    first, second = (
        make({"a": "1", "b": "1", "c": "1", "d": "1"}),
        make({"a": "2", "b": "2", "c": "2", "d": "2"}),
    )
    native = {
        ("a", "1"): True,
        ("a", "2"): False,
        ("b", "1"): False,
        ("b", "2"): False,
        ("c", "2"): True,
        ("d", "1"): False,
    }
    diff = diff_images(first, second, native=native)
    assert [(each.name, each.native) for each in diff.changed] == [
        ("a", True),
        ("b", False),
        ("c", True),
        ("d", None),
    ]
    text = diff.to_text()
    assert "native code in the changed packages: 2 with, 1 without, 1 unknown" in text
    rows = {words[0]: words[4:] for line in text.splitlines() if len(words := line.split()) > 3}
    assert [rows[name] for name in "abcd"] == [["native"], ["pure"], ["native"], []]


def test_entries_without_a_version_are_compared_by_place() -> None:
    lines = [
        "tool @ git+https://me:secret@h/o/tool@{}",
        "same @ git+https://h/same@1",
        "late @ git+https://h/late@1",
    ]
    first = parse_freeze("\n".join(lines).format("b134e9945df25c2d"))
    second = parse_freeze("\n".join([*lines[:2], "late==2"]).format("c999999999999999"))
    image = Image("a", "cpu", Path(), "3.12")
    diff = diff_images(ImageContents(image, first), ImageContents(image, second))
    assert diff.changed == (
        ChangedPackage("late", "late@1", "2", None, None),
        ChangedPackage("tool", "tool@b134e9945d", "tool@c999999999", None, None),
    )
    assert "secret" not in diff.to_text() + json.dumps(diff.to_dict()) + diff._repr_html_()


def test_python_and_hardware() -> None:
    diff = diff_images(make({}, "a"), make({}, "b", "3.13.1", "gpu"))
    document = diff.to_dict()
    assert document["format_version"] == 1
    assert document["python"] == {"before": "3.12.12", "after": "3.13.1", "changed": True}
    assert document["hardware"] == {"before": "cpu", "after": "gpu", "changed": True}
    assert "Python: 3.12.12 → 3.13.1" in diff.to_text()
    assert not diff_images(make({}), make({}, python="")).python_changed


def test_in_a_notebook_nothing_is_markup() -> None:
    diff = diff_images(make({"a": "1"}, "<b>x</b>"), make({"a": "2", "c": "3"}))
    page = diff._repr_html_()
    assert "<b>x</b>" not in page
    assert "&lt;b&gt;" in page
    assert "<td>a</td><td>1</td><td>2</td>" in page


@pytest.mark.skipif(not HAS_REAL_LISTS, reason="the image lists lie in TIERPROOF_SHARED")
def test_every_real_image_against_every_other_of_its_hardware() -> None:
    contents = [read_contents(image) for image in read_index(REAL_LISTS)]
    for first in contents:
        for second in contents[::4]:
            diff = diff_images(first, second)
            total = len(diff.changed) + len(diff.added) + diff.unchanged
            assert total == len(second.file.packages)
            json.dumps(diff.to_dict(), allow_nan=False)
            assert diff.to_text()
    numpy = {item.name: item for item in diff_images(contents[0], contents[13]).changed}["numpy"]
    assert (numpy.before, numpy.after, numpy.major) == ("2.0.2", "2.1.3", False)

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from guard.fake_site import digest, install
from tierproof.guard.capture.record import (
    RecordEntry,
    find_mismatches,
    format_record,
    has_digest,
    parse_record,
    read_record,
    sift_record,
)

paths = st.text(
    st.characters(exclude_categories=["Cs", "Cc", "Zl", "Zp"], exclude_characters="\\"), min_size=1
).filter(lambda text: text.strip() == text)
entries = st.builds(
    RecordEntry,
    paths,
    st.one_of(st.just(""), st.from_regex(r"sha256=[A-Za-z0-9_-]{1,43}", fullmatch=True)),
    st.one_of(st.none(), st.integers(0, 2**40)),
)


@given(st.lists(entries))
def test_record_round_trip(written: list[RecordEntry]) -> None:
    assert list(parse_record(format_record(written))) == written


@given(st.text())
def test_any_text_is_read_without_an_error(text: str) -> None:
    for entry in parse_record(text):
        assert entry.path
        assert entry.size is None or entry.size >= 0


def test_what_differs_is_named(tmp_path: Path) -> None:
    files = {f"pack/{name}.py": f"{name} = 1\n" for name in ("same", "gone", "longer", "other")}
    metadata = install(tmp_path, "pack", "1.0", files)
    recorded = read_record(metadata)
    assert find_mismatches(tmp_path, recorded) == ()
    (tmp_path / "pack/gone.py").unlink()
    (tmp_path / "pack/longer.py").write_text("longer = 1000\n")
    (tmp_path / "pack/other.py").write_text("other = 2\n")
    assert find_mismatches(tmp_path, recorded) == ("pack/gone.py", "pack/longer.py", "pack/other.py")
    by_size = find_mismatches(tmp_path, recorded, hash_changed_since=float("inf"))
    assert by_size == ("pack/gone.py", "pack/longer.py")


def test_bytecode_and_lines_without_a_digest_are_not_judged(tmp_path: Path) -> None:
    record = parse_record("a.pyc,sha256=x,1\nb.py,,\n")
    assert find_mismatches(tmp_path, record) == ()


NAMES = (
    "same.py",
    "gone.py",
    "longer.py",
    "other.py",
    "a,b.py",
    'q"t.py',
    "x.pyc",
    "sub/same.py",
    "sub\\same.py",
)
CONTENTS = {"other.py": "2\n", "longer.py": "22\n", "sub\\same.py": "333\n"}
fields = st.one_of(
    st.sampled_from([*NAMES, "nu\0l.py", '"same.py"', '"a,b.py"', '"q""t.py"']),
    st.sampled_from(["", "=", digest(b"1\n"), digest(b"22\n"), "2", "3", "02", "-2", "9" * 5000]),
    st.text(max_size=4),
)


@given(st.lists(st.lists(fields, max_size=5)), st.sampled_from([0.0, float("inf")]))
def test_what_is_sifted_out_has_nothing_wrong(
    tmp_path_factory: pytest.TempPathFactory, rows: list[list[str]], since: float
) -> None:
    root = tmp_path_factory.mktemp("site")
    (root / "sub").mkdir()
    for name in set(NAMES) - {"gone.py"}:
        (root / name).write_text(CONTENTS.get(name, "1\n"))
    text = "\n".join(",".join(row) for row in rows)
    left = parse_record(sift_record(root, text, hash_changed_since=since))
    everything = parse_record(text)
    assert set(left) <= set(everything)
    assert find_mismatches(root, left, hash_changed_since=since) == find_mismatches(
        root, everything, hash_changed_since=since
    )


def test_few_lines_of_a_whole_distribution_are_left(tmp_path: Path) -> None:
    metadata = install(tmp_path, "pack", "1.0", {f"pack/{name}.py": "x = 1\n" for name in "abc"})
    text = (metadata / "RECORD").read_text()
    assert sift_record(tmp_path, text, hash_changed_since=float("inf")) == ""
    (tmp_path / "pack/b.py").write_text("x = 22\n")
    left = sift_record(tmp_path, text, hash_changed_since=float("inf"))
    assert [entry.path for entry in parse_record(left)] == ["pack/b.py"]


def test_a_size_of_thousands_of_digits_is_none(tmp_path: Path) -> None:
    (entry,) = parse_record(f"a.py,sha256=x,{'9' * 5000}\n")
    assert entry.size is None


def test_digests(tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.write_bytes(b"content")
    assert has_digest(file, digest(b"content"))
    assert has_digest(file, digest(b"content") + "=")
    assert not has_digest(file, digest(b"else"))
    assert has_digest(file, "unheard-of=abc")
    assert not has_digest(tmp_path / "absent", digest(b"content"))


def test_absent_record_is_empty(tmp_path: Path) -> None:
    assert read_record(tmp_path) == ()

"""What is no freeze list, or not all of one, is refused with the reason."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from images.published import HAS_REAL_LISTS, REAL_LISTS
from tierproof.errors import UsageError
from tierproof.images.lists.image_contents import read_contents, read_list_file
from tierproof.images.lists.image_index import Image, read_index
from tierproof.images.lists.verify_list import LARGEST_LIST_BYTES, digest_list, verify_list

PAGE = b"<!DOCTYPE html>\n<html><body>\n<p>Sign in</p>\nnumpy==2.0.2\n</body></html>\n"


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "is empty"),
        (b" \n\n", "is empty"),
        (PAGE, "web page"),
        (b"\n  <html>\nnumpy==1\n", "web page"),
        (b"\x7fELF\x02\x01\0\0\xff\xfe", "not a text file: byte"),
        (b"numpy==1\n\0\0\n", "not a text file: character 9"),
        ("numpy==1\n".encode("utf-16-le"), "not a text file"),
        (b"numpy==2.0.2\npandas==2.2.2\nzstand", "cut off on line 3: zstand"),
        (b"numpy==2.0.2\npandas==2.", "cut off on line 2: pandas==2."),
        (b"numpy>=1\nscipy\npandas==2.2.2\n", "2 do not"),
        (b"version https://git-lfs.github.com/spec/v1\noid sha256:00\n", "lists no package"),
        (b"# only a comment\n", "lists no package"),
        (b"x==1\n" * (LARGEST_LIST_BYTES // 5 + 1), "too large"),
    ],
)
def test_what_is_refused(content: bytes, reason: str) -> None:
    with pytest.raises(UsageError, match=reason.replace("(", r"\(")) as raised:
        verify_list(content, source="list.txt")
    assert raised.value.message.startswith("list.txt")


def test_fewer_packages_than_promised() -> None:
    with pytest.raises(UsageError, match="cut off: it lists 2 packages, but its index announces 3"):
        verify_list(b"a==1\nb==1\n", source="list.txt", promised=3)
    repeated = verify_list(b"a==1\nb==1\na==1\n", source="list.txt", promised=3)
    assert len(repeated.file.packages) == 2


def test_another_list_than_the_index_names() -> None:
    good = b"a==1\nb==1\n"
    assert verify_list(good, source="x", sha256=digest_list(good)).notes == ()
    with pytest.raises(UsageError, match="does not have the SHA-256 digest"):
        verify_list(b"a==1\nb==2\n", source="x", sha256=digest_list(good))


def test_a_missing_line_end_is_a_note() -> None:
    verified = verify_list(b"a==1\nb==1", source="x")
    assert len(verified.file.packages) == 2
    assert "the list may be incomplete" in verified.notes[0]


def test_the_lists_of_other_systems() -> None:
    wide = "a==1\r\nb==2\r\n".encode("utf-16")  # what `pip freeze > list.txt` gives in Windows' PowerShell
    assert [item.name for item in verify_list(wide, source="x").file.packages] == ["a", "b"]
    assert digest_list(b"a==1\r\n") == digest_list(b"a==1\n")


def test_credentials_in_a_list_are_not_shown() -> None:
    text = b"a==1\nb==1\n--extra-index-url https://me:secret@h/simple\n"
    assert "secret" not in str(verify_list(text, source="x").file.skipped)
    with pytest.raises(UsageError) as raised:
        verify_list(b"--index-url https://me:secret@h/simple\n", source="x")
    assert "secret" not in str(raised.value)


@given(st.binary(max_size=400))
def test_no_content_crashes(content: bytes) -> None:
    try:
        verified = verify_list(content, source="x")
    except UsageError:
        return
    assert verified.file.packages


def test_files_that_cannot_be_read(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="is a folder"):
        read_list_file(tmp_path)
    with pytest.raises(UsageError, match="No such file"):
        read_list_file(tmp_path / "absent.txt")
    with pytest.raises(UsageError, match="cannot read"):
        read_list_file(Path("a\0b"))


@pytest.mark.skipif(not HAS_REAL_LISTS, reason="the image lists lie in TIERPROOF_SHARED")
def test_every_real_list_is_whole_and_its_first_half_is_not() -> None:
    images = read_index(REAL_LISTS)
    assert len(images) == 39
    for image in images:
        contents = read_contents(image)
        assert contents.notes == ()
        assert len(contents.file.packages) + len(contents.file.skipped) == image.packages
        assert all(line.reason for line in contents.file.skipped)
        content = image.path.read_bytes()
        for end in (len(content) // 2, len(content) - 30):
            with pytest.raises(UsageError, match="cut off"):
                verify_list(content[:end], source="x", promised=image.packages)


@pytest.mark.skipif(not HAS_REAL_LISTS, reason="the image lists lie in TIERPROOF_SHARED")
def test_a_stored_list_that_was_damaged(tmp_path: Path) -> None:
    image = Image("x", "cpu", tmp_path / "x.txt", "3.12", sha256="0" * 64)
    image.path.write_text("a==1\n")
    with pytest.raises(UsageError, match="does not have the SHA-256 digest"):
        read_contents(image)

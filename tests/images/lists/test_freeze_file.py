"""Freeze lists as they are found: their dirt is read or skipped with a reason, never lost."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from packaging.utils import canonicalize_name

from tierproof.errors import UsageError
from tierproof.images.lists.freeze_file import FrozenPackage, find_python, parse_freeze

SHARED = (
    Path(os.environ.get("TIERPROOF_SHARED") or Path(__file__).resolve().parents[4] / "shared")
    / "runtimes"
    / "colab"
)
NAMES = st.from_regex(r"[A-Za-z0-9]([A-Za-z0-9._-]{0,12}[A-Za-z0-9])?", fullmatch=True)
VERSIONS = st.builds(
    "{}{}{}".format,
    st.lists(st.integers(0, 2030), min_size=1, max_size=4).map(lambda parts: ".".join(map(str, parts))),
    st.sampled_from(["", "a1", "rc2", ".post0", ".dev3"]),
    st.sampled_from(["", "+cu128", "+cpu", "+g12ab.d20"]),
)


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("numpy==2.0.2", ("numpy", "2.0.2", "", False)),
        ("torch==2.9.0+cu126", ("torch", "2.9.0+cu126", "", False)),
        ("Flask_SQLAlchemy === 3.1", ("flask-sqlalchemy", "3.1", "", False)),
        ("numpy==2.0.2 ; python_version >= '3.12'  # why", ("numpy", "2.0.2", "", False)),
        ("numpy==2.0.2 --hash=sha256:0123 --hash=sha256:4567", ("numpy", "2.0.2", "", False)),
        ("google-colab @ file:///d/google_colab-1.0.0.tar.gz", ("google-colab", "1.0.0", "file:///d/google_colab-1.0.0.tar.gz", False)),
        ("torch @ https://h/w/torch-2.2.1%2Bcu121-cp310-cp310-linux_x86_64.whl#sha256=1adf", ("torch", "2.2.1+cu121", "https://h/w/torch-2.2.1%2Bcu121-cp310-cp310-linux_x86_64.whl#sha256=1adf", False)),
        ("jupyter_kernel_gateway @ git+https://github.com/g/k@b134", ("jupyter-kernel-gateway", "", "git+https://github.com/g/k@b134", False)),
        ("-e git+https://github.com/o/r@abc#egg=My_Project", ("my-project", "", "git+https://github.com/o/r@abc#egg=My_Project", True)),
        ("mine @ file:///home/me/mine", ("mine", "", "file:///home/me/mine", True)),
        ("https://h/x-1.0-py3-none-any.whl", ("x", "1.0", "https://h/x-1.0-py3-none-any.whl", False)),
        ("git+https://h/r.git#egg=thing", ("thing", "", "git+https://h/r.git#egg=thing", False)),
    ],
)  # fmt: skip
def test_a_line(line: str, expected: tuple[str, str, str, bool]) -> None:
    (package,) = parse_freeze(line).packages
    assert (package.name, package.version, package.url, package.editable) == expected


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ("numpy>=2", "not pinned to an exact version"),
        ("numpy==2.*", "not pinned to an exact version"),
        ("numpy", "not pinned to an exact version"),
        ("numpy===not a version", "not a valid requirement"),
        ("numpy===french", "the version is not valid"),
        ("-r other.txt", "option"),
        ("--extra-index-url https://me:secret@h/simple", "option"),
        ("-e /home/me/mine", "does not name its package"),
        ("./wheel.whl", "does not name its package"),
        ("git+https://h/r.git", "does not name its package"),
        ("x" * 10_001, "too long"),
        ("ok==2", "ok is already on line 1"),
    ],
)
def test_a_line_that_is_skipped_says_why(line: str, reason: str) -> None:
    file = parse_freeze(f"ok==1\n{line}")
    assert file.packages == (FrozenPackage("ok", "1", line=1),)
    assert [(each.line, reason in each.reason) for each in file.skipped] == [(2, True)]


def test_the_note_above_an_editable_project_names_it() -> None:
    file = parse_freeze("# Editable install with no version control (Mine==1.2)\n-e /home/me/mine\nother==1")
    assert file.packages[0] == FrozenPackage("mine", "1.2", "/home/me/mine", True, 2)


def test_a_byte_order_mark_windows_lines_and_comments() -> None:
    file = parse_freeze("\ufeff# made by pip\r\nnumpy==2.0.2\r\n\r\n  pandas==2.2.2  # ours\r\n")
    assert [item.name for item in file.packages] == ["numpy", "pandas"]
    assert file.skipped == ()


@pytest.mark.parametrize(
    "text", ["", "# nothing\n", "<!DOCTYPE html>\n<html><body>Not found</body></html>", "\0"]
)
def test_what_is_no_list_is_an_error(text: str) -> None:
    with pytest.raises(UsageError, match=r"list\.txt lists no package"):
        parse_freeze(text, source="list.txt")


def test_the_python_that_wheels_tell() -> None:
    file = parse_freeze("a==1\ntorch @ https://h/torch-1.13.1%2Bcu116-cp38-cp38-linux_x86_64.whl")
    assert find_python(file) == "3.8"
    assert find_python(parse_freeze("a==1")) == ""


@given(st.dictionaries(NAMES.map(canonicalize_name), VERSIONS, min_size=1, max_size=20), st.randoms())
def test_what_pip_prints_is_read_back(pins: dict[str, str], shuffle: object) -> None:
    file = parse_freeze("\n".join(f"{name}=={version}" for name, version in pins.items()))
    assert [item.name for item in file.packages] == list(pins)
    assert file.skipped == ()


@given(st.lists(st.one_of(st.text(max_size=60), NAMES.map("{}==1".format), NAMES.map("-e git+https://h/r#egg={}".format)), max_size=12))  # fmt: skip
@example(["a @ file:///x[", "https://[::1", "a==1 #"])
def test_every_line_ends_somewhere(lines: list[str]) -> None:
    text = "first==1\n" + "\n".join(lines)
    file = parse_freeze(text)
    accounted = {item.line for item in file.packages} | {each.line for each in file.skipped}
    for number, line in enumerate(text.splitlines(), 1):
        bare = line.strip()
        if bare and not bare.startswith("#") and "#" not in bare:
            assert number in accounted
    assert len({item.name for item in file.packages}) == len(file.packages)


@pytest.mark.skipif(not SHARED.exists(), reason="the image lists lie in TIERPROOF_SHARED")
def test_the_real_lists() -> None:
    for path in SHARED.glob("*.txt"):
        file = parse_freeze(path.read_text(encoding="utf-8"))
        assert len(file.packages) > 250
        assert all("names" in each.reason for each in file.skipped), path

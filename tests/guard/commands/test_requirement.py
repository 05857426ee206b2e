"""Requirements as typed: what is read, and what is refused with a word on what was meant."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from packaging.markers import default_environment

from tierproof.errors import UsageError
from tierproof.guard.commands.requirement import Source, parse_requirement, parse_requirements

NAMES = st.from_regex(r"[A-Za-z0-9]([A-Za-z0-9._-]{0,12}[A-Za-z0-9])?", fullmatch=True)
VERSIONS = st.builds(
    lambda parts: ".".join(map(str, parts)), st.lists(st.integers(0, 99), min_size=1, max_size=4)
)


@given(
    NAMES.filter(lambda name: not name.endswith((".zip", ".whl", ".tgz"))),
    st.lists(NAMES, max_size=3),
    st.sampled_from([">=", "==", "<", "~=", "!="]),
    VERSIONS,
)
def test_a_named_requirement_is_read_and_its_line_reads_the_same(
    name: str, extras: list[str], sign: str, version: str
) -> None:
    if sign == "~=":
        version += ".0"
    item = parse_requirement(
        f" {name}[{','.join(extras)}] {sign} {version} " if extras else f"{name}{sign}{version}"
    )
    again = parse_requirement(item.line)
    assert (again.name, again.extras, again.specifier) == (item.name, item.extras, item.specifier)
    assert item.source is Source.INDEX
    assert item.allows(version) is (sign in (">=", "==", "~="))


@given(st.text(max_size=40))
def test_any_text_is_read_or_refused_with_a_message(text: str) -> None:
    try:
        item = parse_requirement(text, folder=Path("/nowhere"))
    except UsageError as error:
        assert error.message  # noqa: PT017 - reading it is as good an answer
    else:
        assert item.line
        assert "\n" not in item.line


@pytest.mark.parametrize(
    ("text", "name", "source"),
    [
        ("https://host/a/My_Pkg-1.0-py3-none-any.whl", "my-pkg", Source.WHEEL),
        ("mine @ https://host/mine-1.0.tar.gz", "mine", Source.BUILD),
        ("mine @ https://host/mine-1.0-py3-none-any.whl", "mine", Source.WHEEL),
        ("git+https://host/owner/repo@v1#egg=Mine", "mine", Source.BUILD),
        ("git+https://host/owner/repo", "", Source.BUILD),
        ("mine @ git+https://host/owner/repo", "mine", Source.BUILD),
    ],
)
def test_urls(text: str, name: str, source: Source) -> None:
    item = parse_requirement(text)
    assert (item.name, item.source) == (name, source)


def test_local_wheels_archives_and_projects(tmp_path: Path) -> None:
    (tmp_path / "mine-1.0-py3-none-any.whl").touch()
    (tmp_path / "mine-1.0.tar.gz").touch()
    (tmp_path / "setup.py").touch()
    wheel = parse_requirement("./mine-1.0-py3-none-any.whl[fast]", folder=tmp_path)
    assert (wheel.name, wheel.source, wheel.extras) == ("mine", Source.WHEEL, ("fast",))
    assert wheel.line == f"mine[fast] @ {(tmp_path / 'mine-1.0-py3-none-any.whl').as_uri()}"
    assert parse_requirement("mine-1.0.tar.gz", folder=tmp_path).source is Source.BUILD
    assert parse_requirement(".", folder=tmp_path).source is Source.BUILD


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "cannot read"),
        ("numpy=2.0", "numpy==2.0"),
        ("numpy 2.0", "numpy==2.0"),
        ("numpy>=", "cannot read"),
        ("-r requirements.txt", "is an option"),
        ("--upgrade", "is an option"),
        ("# numpy", "is a comment"),
        ("a\nb", "one package per requirement"),
        ("./absent", "/nowhere/absent does not exist"),
        ("git+https:", "has no host"),
        ("https://host/strange.whl", "not a valid wheel file name"),
    ],
)
def test_refusals_say_what_was_meant(text: str, said: str) -> None:
    with pytest.raises(UsageError) as raised:
        parse_requirement(text, folder=Path("/nowhere"))
    assert said in str(raised.value)


def test_paths_that_are_no_package(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").touch()
    with pytest.raises(UsageError, match="neither a wheel"):
        parse_requirement("./notes.txt", folder=tmp_path)
    with pytest.raises(UsageError, match="is not a project folder"):
        parse_requirement(".", folder=tmp_path)


def test_markers_are_judged_for_an_interpreter() -> None:
    markers = dict(default_environment())
    assert parse_requirement("a; python_version >= '3'").applies(markers)  # type: ignore[arg-type]
    assert not parse_requirement("a; python_version < '3'").applies(markers)  # type: ignore[arg-type]


def test_nothing_is_no_request() -> None:
    with pytest.raises(UsageError, match="no requirement"):
        parse_requirements([])

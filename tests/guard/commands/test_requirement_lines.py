"""Requirements files, flattened."""

from __future__ import annotations

from pathlib import Path

import pytest

from tierproof.errors import UsageError
from tierproof.guard.commands.requirement_lines import RequirementLines, read_requirement_lines


def test_a_file_that_leads_to_others(tmp_path: Path) -> None:
    (tmp_path / "sub").mkdir()
    (tmp_path / "a.txt").write_text(
        "# all of it\nnumpy==2.3.4  # pinned\n\n--index-url https://i/simple\n-r sub/b.txt\n-c bounds.txt\n"
        "-e ./project\nlong \\\n  >=1 --hash=sha256:00\n--pre\n"
    )
    (tmp_path / "sub" / "b.txt").write_text("./wheel.whl\n-f links\n")
    (tmp_path / "bounds.txt").write_text("scipy<1.13\n")
    found = RequirementLines()
    read_requirement_lines(tmp_path / "a.txt", found)
    assert [(text.replace(" ", ""), folder) for text, folder in found.requirements] == [
        ("numpy==2.3.4", tmp_path),
        ("./wheel.whl", tmp_path / "sub"),
        ("./project", tmp_path),
        ("long>=1", tmp_path),
    ]
    assert found.constraints == ["scipy<1.13"]
    assert found.read_options.last("index-url") == "https://i/simple"
    assert found.read_options.all("find-links") == ("links",)
    assert found.read_options.has("pre")


def test_a_file_that_names_itself_ends(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("-r a.txt\nnumpy\n")
    found = RequirementLines()
    read_requirement_lines(tmp_path / "a.txt", found)
    assert 0 < len(found.requirements) < 20


def test_a_missing_file_and_unreadable_options(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="cannot read the requirements file"):
        read_requirement_lines(tmp_path / "none.txt", RequirementLines())
    (tmp_path / "odd.txt").write_text("--find-links 'here\n")
    found = RequirementLines()
    read_requirement_lines(tmp_path / "odd.txt", found)
    assert found.options == [("find-links", "'here")]

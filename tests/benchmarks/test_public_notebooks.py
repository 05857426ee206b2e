"""The benchmark of public notebooks reads its list, compares fairly, and lets no disagreement pass unexplained."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

BENCHMARKS = Path(__file__).resolve().parents[2] / "benchmarks"
sys.path.append(str(BENCHMARKS))

from public_notebooks.compare import Comparison, compare  # noqa: E402
from public_notebooks.explanation import FAULTS, Explanation, read_explanations  # noqa: E402
from public_notebooks.image_list import read_image_list  # noqa: E402
from public_notebooks.known_truth import read_truth, write_truth  # noqa: E402
from public_notebooks.notebook import Notebook, read_notebooks  # noqa: E402
from public_notebooks.release_metadata import _read_requires  # noqa: E402
from public_notebooks.summary import summarize  # noqa: E402
from public_notebooks.truth import PipRun, split_words  # noqa: E402

ONE = Notebook("vision", "me/mine", "0" * 40, "a.ipynb", ("pip install numb",))


def make_document(verdict: str, gaps: int = 0, **replaced: str) -> dict:
    result = {
        "verdict": verdict,
        "replaced_by_pip": [{"name": name, "version": version} for name, version in replaced.items()],
        "not_worked_out": ["a gap"] * gaps,
    }
    return {"results": [result], "duration_s": 2.0}


def make_truth(headline: str, *gaps: str, **replaced: str) -> dict:
    return {"headline": headline, "gaps": list(gaps), "replaced": replaced}


def look(document: dict, truth: dict) -> Comparison:
    return compare(ONE, document, truth, {"numb"})


def test_the_list_is_whole() -> None:
    notebooks = read_notebooks()
    assert len(notebooks) >= 60
    assert len({each.field for each in notebooks}) >= 12
    assert len({each.file_name for each in notebooks}) == len(notebooks)
    assert all(len(each.commit) == 40 for each in notebooks)
    assert all(line.startswith(("pip ", "? ")) for each in notebooks for line in each.commands)
    assert all(each.commands or each.note for each in notebooks)


def test_what_is_explained_is_in_the_list() -> None:
    names = {each.name for each in read_notebooks()}
    assert read_explanations().keys() <= names
    assert read_truth().keys() <= names
    assert all(each.fault in FAULTS and each.why for each in read_explanations().values())


@pytest.mark.parametrize("verdict", ["shadow", "waiver", "isolated"])
def test_every_way_to_replace_is_one_headline(verdict: str) -> None:
    found = look(make_document(verdict, numb="2"), make_truth("replaces", numb="2"))
    assert (found.is_headline_right, found.is_replaced_right, found.versions) == (True, True, ())


def test_what_differs_is_named() -> None:
    found = look(make_document("additive", a="1", b="2"), make_truth("replaces", b="3", numb="2"))
    assert (found.missed, found.invented, found.versions) == (("numb",), ("a",), ("b",))
    assert found.loaded == ("numb",)
    assert not found.is_headline_right


def test_of_a_repository_no_truth_is_claimed() -> None:
    found = look(make_document("unknown", 1, a="1"), make_truth("unknown", "the repository git+https://x"))
    assert (found.invented, found.untold, found.is_replaced_right) == ((), ("a",), True)


def test_a_gap_of_which_nothing_is_told_is_silent() -> None:
    truth = make_truth("unknown", "conda install x")
    assert look(make_document("satisfied"), truth).silent == ("conda install x",)
    assert look(make_document("unknown", 1), truth).silent == ()


def test_the_words_of_a_command_are_parted() -> None:
    split = split_words(["-U", "-f", "https://x/y", "numb==1", "git+https://h/r", "fair@git+https://h/f"])
    assert (split.options, split.requirements) == (("-U",), ("numb==1",))
    assert len(split.gaps) == 3


def test_a_refusal_is_told_from_another_failure() -> None:
    assert PipRun(None, "ERROR: No matching distribution found for numb==9").refused
    assert not PipRun(None, "pip took longer than 180 s").refused
    assert not PipRun((), "").refused


def test_an_unexplained_disagreement_fails_the_run() -> None:
    wrong = look(make_document("additive"), make_truth("replaces", numb="2"))
    table, met = summarize([wrong], {}, {}, "2026-01-01")
    assert "NOT EXPLAINED" in table
    assert not met
    told = {ONE.name: Explanation(ONE.name, "neither", "both answers are valid")}
    assert "both answers are valid" in summarize([wrong], {}, told, "2026-01-01")[0]


def test_truth_is_written_and_read(tmp_path: Path) -> None:
    truth = make_truth("additive", numb="2")
    write_truth({"b": truth, "a": truth}, "2026-01-01", tmp_path / "truth.json")
    assert read_truth(tmp_path / "truth.json") == {"a": truth, "b": truth}


def test_an_image_list_is_read(tmp_path: Path) -> None:
    lines = "numb==2.0+cu1\nfrom-git @ git+https://h/r@abc\nwheel @ https://h/wheel-1.2-py3-none-any.whl#sha256=0\n"
    lines += "local @ https://h/local-2.11.0%2Bcpu-cp312-cp312-manylinux_2_28_x86_64.whl\n"
    (tmp_path / "list.txt").write_text(lines)
    assert read_image_list(tmp_path / "list.txt") == {
        "numb": "2.0+cu1",
        "from-git": "0",
        "wheel": "1.2",
        "local": "2.11.0+cpu",
    }


def test_requirements_of_setuptools_are_read() -> None:
    text = "numb>=1\n\n[fast]\nspeedy\n\n[:python_version < '3.9']\nold\n"
    assert _read_requires(text) == [
        "numb>=1",
        'speedy ; extra == "fast"',
        "old ; (python_version < '3.9')",
    ]

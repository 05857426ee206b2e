"""The benchmark of public packages counts what a reader would count, and lets no finding pass unjudged."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

BENCHMARKS = Path(__file__).resolve().parents[2] / "benchmarks"
sys.path.append(str(BENCHMARKS))

from strangers.case import Case  # noqa: E402
from strangers.cases import CASES  # noqa: E402
from strangers.judgement import Judgement, read_judgements  # noqa: E402
from strangers.package_folder import read_pins  # noqa: E402
from strangers.summary import count, summarize  # noqa: E402


def make_record(name: str, *findings: tuple[str, str], state: str = "judged", **other: object) -> dict:
    found = [{"severity": severity, "code": code} for severity, code in findings]
    usual = {
        "helped": [],
        "errored": {},
        "cpu_seconds": 1.0,
        "peak_bytes": 3e8,
        "class": name,
        "why": "no inputs",
    }
    return {"name": name, "state": state, "findings": found, **usual, **other}


def make_cases(*names: str, broken: str = "") -> dict[str, Case]:
    return {name: Case(name, f"package-{name}", lambda: None, broken=broken) for name in names}


def judge(ruling: str) -> Judgement:
    return Judgement(ruling, "a reason", "file.py:1")  # type: ignore[arg-type]


def test_findings_are_held_against_us_by_their_ruling():
    records = [
        make_record("a", ("error", "X-1")),
        make_record("b", ("error", "X-1"), ("warning", "X-2")),
        make_record("c", ("warning", "X-3"), ("info", "X-4")),
    ]
    judgements = {
        ("a", "X-1"): judge("right"),
        ("b", "X-1"): judge("wrong"),
        ("b", "X-2"): judge("noise"),
    }
    counts = count(records, make_cases("a", "b", "c"), judgements)
    assert (counts.false, counts.noisy) == (("b",), ("b",))
    assert counts.unjudged == (("c", "X-3"),)


def test_what_cannot_run_is_not_held_against_us_and_help_is_told():
    records = [
        make_record("a"),
        make_record("b", helped=["inputs"]),
        make_record("c", state="refused"),
        make_record("d", state="unbuilt"),
        make_record("e", state="refused"),
        make_record("f", state="crashed"),
    ]
    cases = {**make_cases("a", "b", "c", "d", "f"), **make_cases("e", broken="it needs an older torch")}
    counts = count(records, cases, {})
    assert counts.runs == ("a", "b", "c", "f")
    assert (counts.unhelped, counts.judged, counts.errored) == (("a",), ("a", "b"), ("f",))


def test_a_finding_without_a_judgement_misses_the_bar():
    cases = make_cases("a")
    _, met = summarize([make_record("a")], cases, {}, {})
    table, unmet = summarize([make_record("a", ("warning", "X-1"))], cases, {}, {})
    assert (met, unmet) == (True, False)
    assert "NOT JUDGED" in table


@pytest.mark.parametrize(
    "text",
    [
        '[[judgement]]\ncases = ["a"]\ncodes = ["X"]\nruling = "fine"\nwhy = "w"\nat = "f:1"\n',
        '[[judgement]]\ncases = ["a"]\ncodes = ["X"]\nruling = "right"\nwhy = "w"\n',
        '[[judgement]]\ncases = []\ncodes = ["X"]\nruling = "right"\nwhy = "w"\nat = "f:1"\n',
        '[[judgement]]\ncases = ["a", "a"]\ncodes = ["X"]\nruling = "right"\nwhy = "w"\nat = "f:1"\n',
    ],
)
def test_an_incomplete_judgement_is_refused(tmp_path, text):
    path = tmp_path / "judgements.toml"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(ValueError, match="judge"):
        read_judgements(path)


def test_judgements_are_of_cases_and_cases_of_pinned_packages():
    assert {case for case, _ in read_judgements()} <= set(CASES)
    pinned = {pin.partition("==")[0] for pin in read_pins()}
    assert {case.package for case in CASES.values()} <= pinned
    assert len(CASES) >= 150
    assert len({case.package for case in CASES.values()}) >= 40


def test_a_stand_in_can_be_imported_subclassed_called_and_used_as_a_decorator():
    program = (
        "from strangers.stand_in import stand_in_for\n"
        "stand_in_for(['absent_package'])\n"
        "from absent_package.deep.inside import Thing, jit\n"
        "class Mine(Thing.Nested): pass\n"
        "@jit(nopython=True)\n"
        "def kept(): return 7\n"
        "assert kept() == 7 and Mine() is not None\n"
        "try:\n    import another_absent_package\n"
        "except ModuleNotFoundError: pass\n"
        "else: raise SystemExit('it stands in for what it was not asked for')\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=BENCHMARKS, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr

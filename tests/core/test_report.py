from __future__ import annotations

import dataclasses
import json
import os

import pytest

from tierproof.core import atomic_write
from tierproof.core.check_failed import CheckFailedError
from tierproof.core.check_result import CheckResult, Outcome
from tierproof.core.finding import Cause, Finding, Severity
from tierproof.core.renderers import _renderers, find_renderer, known_suffixes, register_renderer
from tierproof.core.report import Environment, ModelSummary, Report, TraitEvidence
from tierproof.core.verdict import Verdict
from tierproof.errors import OutputError


@pytest.fixture
def report():
    findings = tuple(Finding(f"T1-X-00{i}", s, "m") for i, s in enumerate(reversed(Severity)))
    return Report(
        version="0",
        target="t",
        model=ModelSummary(
            "M", 3, 2, 12, "encoder", ("tied weights",), (TraitEvidence("causal", "a", "b"),), ("x",), ("y",)
        ),
        environment=Environment("3.11", "2", "cpu"),
        seed=1,
        duration_s=0.5,
        results=(CheckResult("T1-X", "x", 1, Outcome.FAILED, findings=findings),),
    )


@pytest.fixture
def renderers():
    before = dict(_renderers)
    _renderers.clear()
    yield _renderers
    _renderers.clear()
    _renderers.update(before)


def test_round_trip_through_json(report):
    document = json.loads(json.dumps(report.to_dict(), allow_nan=False))
    assert Report.from_dict(document) == report


def test_contract_keys(report):
    document = report.to_dict()
    assert document["format_version"] == 1
    assert document["tool"] == "tierproof"
    assert (document["verdict"], document["ok"]) == ("fail", False)
    assert set(document["model"]) >= {"class", "parameters", "trainable", "bytes", "kind", "traits"}


def test_another_format_is_refused(report):
    with pytest.raises(ValueError, match="format"):
        Report.from_dict({**report.to_dict(), "format_version": 2})


def test_findings_lead_with_errors_and_the_report_is_frozen(report):
    assert [f.severity for f in report.findings] == list(Severity)
    assert report.verdict is Verdict.FAIL
    with pytest.raises(dataclasses.FrozenInstanceError):
        report.seed = 2


def test_save_by_suffix(report, renderers, tmp_path):
    register_renderer(".txt", lambda r: f"report of {r.target} é")
    path = report.save(tmp_path / "r.TXT")
    assert path.read_text(encoding="utf-8") == "report of t é"
    assert os.listdir(tmp_path) == ["r.TXT"]
    assert find_renderer(".nope") is None
    assert known_suffixes() == (".txt",)


def test_unknown_suffix_and_unwritable_folder(report, renderers, tmp_path):
    register_renderer(".txt", lambda r: "x")
    with pytest.raises(OutputError, match="unknown suffix"):
        report.save(tmp_path / "r.pdf")
    with pytest.raises(OutputError, match="cannot write"):
        report.save(tmp_path / "absent" / "r.txt")
    assert os.listdir(tmp_path) == []


def test_a_directory_in_the_way_leaves_nothing_behind(report, renderers, tmp_path):
    register_renderer(".txt", lambda r: "x")
    (tmp_path / "r.txt").mkdir()
    with pytest.raises(OutputError):
        report.save(tmp_path / "r.txt")
    assert os.listdir(tmp_path) == ["r.txt"]


def test_an_interrupted_write_leaves_nothing_behind(tmp_path, monkeypatch):
    def interrupt(*args):
        raise KeyboardInterrupt

    monkeypatch.setattr(atomic_write.os, "replace", interrupt)
    with pytest.raises(KeyboardInterrupt):
        atomic_write.write_text_atomically(tmp_path / "x.txt", "x")
    assert os.listdir(tmp_path) == []


def test_html_in_a_notebook(report, renderers):
    assert report._repr_html_() == ""
    register_renderer("html-fragment", lambda r: "<b>r</b>")
    assert report._repr_html_() == "<b>r</b>"


def test_it_is_one_line_as_repr_and_the_story_as_text(report, renderers):
    assert repr(report) == "<Report of t: fail, 1 error, 1 warning, 1 ran>"
    assert str(report) == repr(report)
    register_renderer(".txt", lambda r: f"the story of {r.target}")
    assert str(report) == "the story of t"


def test_raise_if_failed_names_the_first_error_that_follows_from_nothing(report):
    findings = (
        Finding("T1-X-002", Severity.ERROR, "It differs.", "a", follows_from=Cause("T1-X-001", "b")),
        Finding("T1-X-001", Severity.ERROR, "It is hidden.", "b", hint="Register it."),
    )
    failed = dataclasses.replace(
        report, results=(CheckResult("T1-X", "x", 1, Outcome.FAILED, findings=findings),)
    )
    with pytest.raises(CheckFailedError, match="T1-X-001 in `b`: It is hidden") as caught:
        failed.raise_if_failed()
    assert (caught.value.hint, caught.value.exit_code) == ("Register it.", 1)
    assert Report.from_dict(failed.to_dict()) == failed


def test_raise_if_failed_is_silent_for_a_pass_and_not_for_what_was_not_judged(report):
    dataclasses.replace(report, results=(CheckResult("T1-X", "x", 1, Outcome.PASSED),)).raise_if_failed()
    cut = CheckResult("T1-GRAD", "x", 1, Outcome.SKIPPED, "too short", out_of_time=True)
    with pytest.raises(CheckFailedError, match="T1-GRAD: too short") as caught:
        dataclasses.replace(report, results=(cut,)).raise_if_failed()
    assert caught.value.exit_code == 2


def test_documents_of_before_there_were_consequences_are_read(report):
    document = json.loads(json.dumps(report.to_dict()))
    for finding in document["results"][0]["findings"]:
        del finding["follows_from"], finding["page"]
    del document["results"][0]["out_of_time"]
    assert Report.from_dict(document) == report

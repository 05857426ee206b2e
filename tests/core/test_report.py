from __future__ import annotations

import dataclasses
import json
import os

import pytest

from tierproof.core import atomic_write
from tierproof.core.check_result import CheckResult, Outcome
from tierproof.core.finding import Finding, Severity
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

from __future__ import annotations

import json

import pytest

from tierproof.core.artifact import Artifact
from tierproof.core.check_result import CheckResult, Outcome
from tierproof.core.renderers import _renderers, register_renderer
from tierproof.core.report import Environment, ModelSummary, Report

MAPS = Artifact("maps", ".npz", b"\x00\x01")


@pytest.fixture
def report():
    results = (
        CheckResult("T2-X", "x", 2, Outcome.PASSED, artifacts=(MAPS,)),
        CheckResult("T1-X", "x", 1, Outcome.PASSED),
    )
    summary = ModelSummary("M", 1, 1, 4, "encoder")
    return Report("0", "t", summary, Environment("3", "2", "cpu"), 0, 0.1, results)


def test_only_a_result_with_artifacts_names_them(report):
    with_maps, without = report.to_dict()["results"]
    assert with_maps["artifacts"] == {"maps": "report.T2-X.maps.npz"}
    assert "artifacts" not in without


def test_a_saved_report_lies_beside_the_files_it_names(report, tmp_path, monkeypatch):
    monkeypatch.setattr("tierproof.core.renderers._renderers", dict(_renderers))
    register_renderer(".json", lambda r: json.dumps(r.to_dict()))
    path = report.save(tmp_path / "mine.json")
    named = json.loads(path.read_text())["results"][0]["artifacts"]
    assert (tmp_path / named["maps"]).read_bytes() == MAPS.content
    assert sorted(p.name for p in tmp_path.iterdir()) == ["mine.T2-X.maps.npz", "mine.json"]

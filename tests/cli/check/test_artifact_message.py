from __future__ import annotations

import json
from dataclasses import replace

import pytest

from tierproof.cli.check.artifact_message import attach_artifacts, encode_artifacts
from tierproof.core.artifact import Artifact
from tierproof.core.check_result import CheckResult, Outcome
from tierproof.core.report import Environment, ModelSummary, Report

BARE = CheckResult("T2-X", "x", 2, Outcome.PASSED)
REPORT = Report(
    "0", "t", ModelSummary("M", 1, 1, 4, "encoder"), Environment("3", "2", "cpu"), 0, 0.1, (BARE,)
)


def test_artifacts_arrive_as_they_were_sent():
    artifacts = (Artifact("maps", ".npz", bytes(range(256))), Artifact("scores", ".csv", b"a,b\n"))
    sent = replace(REPORT, results=(replace(BARE, artifacts=artifacts),))
    message = json.loads(json.dumps(encode_artifacts(sent)))
    assert attach_artifacts(REPORT, message) == sent


@pytest.mark.parametrize("message", [None, [], "", 3])
def test_without_artifacts_the_report_stays_as_it_is(message):
    assert attach_artifacts(REPORT, message) is REPORT

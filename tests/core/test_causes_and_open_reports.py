from __future__ import annotations

import pytest

from tierproof.core.check_failed import CheckFailedError
from tierproof.core.finding import Cause
from tierproof.core.report import Environment, ModelSummary, Report


def test_a_consequence_names_its_cause():
    assert "T1-REG-001" in Cause("T1-REG-001", "blocks").advice


def test_a_report_in_which_nothing_ran_has_not_passed():
    summary = ModelSummary("M", 1, 1, 4, "encoder")
    report = Report("0", "t", summary, Environment("3", "2", "cpu"), 0, 0.1, ())
    with pytest.raises(CheckFailedError, match="no check ran"):
        report.raise_if_failed()

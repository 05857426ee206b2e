"""The last cell: the verdict, which follows from the results and nothing else, and what else there is."""

from __future__ import annotations

from collections.abc import Mapping

from tierproof.core.addresses import FEEDBACK, TROUBLESHOOTING
from tierproof.core.finding import Severity
from tierproof.core.report import Report
from tierproof.core.verdict import Verdict
from tierproof.reporters.story import count_of
from tierproof.session.box import Box, Tone
from tierproof.session.further_analyses import TITLES, list_further_analyses

_MOST_FINDINGS = 3
_ABOUT = "Times marked “about” were measured on two CPU cores; the others in this session."
_TONES = {Verdict.PASS: Tone.GOOD, Verdict.FAIL: Tone.BAD, Verdict.INCONCLUSIVE: Tone.WARN}
_SENTENCES = {
    Verdict.PASS: "Verdict: passed. No check found an error.",
    Verdict.FAIL: "Verdict: failed. At least one check found an error.",
    Verdict.INCONCLUSIVE: "Verdict: inconclusive. Some checks could not be completed.",
}
_LINKS = (("Send feedback", FEEDBACK), ("Troubleshooting", TROUBLESHOOTING))


def conclude(report: Report | None, problem: str, measured_s: Mapping[str, float]) -> Box:
    """Say how it went.

    Args:
        report: of this notebook; None where there is none.
        problem: why there is none.
        measured_s: seconds of other steps.
    """
    rows = tuple(item.row for item in list_further_analyses(report, measured_s))
    if report is None:
        reason = problem or "The cell that checks the model has not been run."
        return Box(
            "Verdict: not judged.",
            Tone.WARN,
            (reason[:1].upper() + reason[1:], _ABOUT),
            TITLES,
            rows,
            links=_LINKS,
        )
    counts = dict.fromkeys(Severity, 0)
    for finding in report.findings:
        counts[finding.severity] += 1
    errors = count_of(counts[Severity.ERROR], "error")
    warnings = count_of(counts[Severity.WARNING], "warning")
    ran = f"{len(report.results)} checks in {report.duration_s:.0f} s"
    lines = [f"{report.target}: {errors}, {warnings}, {ran}."]
    for finding in report.findings[:_MOST_FINDINGS]:
        where = f" at {finding.where}" if finding.where else ""
        lines.append(f"{finding.severity.value} {finding.code}{where}: {finding.message}")
    if len(report.findings) > _MOST_FINDINGS:
        lines.append(f"… and {len(report.findings) - _MOST_FINDINGS} more in the report.")
    lines.append(_ABOUT)
    return Box(_SENTENCES[report.verdict], _TONES[report.verdict], tuple(lines), TITLES, rows, links=_LINKS)

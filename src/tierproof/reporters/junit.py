"""The report as JUnit XML, for CI systems that show test results."""

from __future__ import annotations

import xml.etree.ElementTree as ET

from tierproof.core.check_result import CheckResult, Outcome
from tierproof.core.finding import Finding
from tierproof.core.report import Report
from tierproof.core.verdict import Verdict
from tierproof.reporters.clean_text import clean_line, clean_text
from tierproof.reporters.measurement_view import lay_out_evidence
from tierproof.reporters.story import SEVERITY_WORDS, tell


def render_junit(report: Report) -> str:
    """Give one test case per check: failed is a failure, errored an error, skipped is skipped.

    Where every check was skipped, or none was selected, a case named "verdict" is added as an error: a
    suite of skipped cases would show as green, though nothing was judged.
    """
    suite = ET.Element("testsuite", name=clean_line(f"tierproof {report.target}"))
    properties = ET.SubElement(suite, "properties")
    for name, value in _list_properties(report):
        ET.SubElement(properties, "property", name=name, value=clean_line(value))
    for result in report.results:
        _add_case(suite, result)
    if report.verdict is Verdict.INCONCLUSIVE and not _any(report, Outcome.ERRORED):
        case = ET.SubElement(suite, "testcase", classname="tierproof", name="verdict", time="0.000")
        ET.SubElement(case, "error", type="inconclusive", message=clean_line(tell(report).headline))
    counts = {
        "tests": len(suite.findall("testcase")),
        "failures": len(suite.findall("testcase/failure")),
        "errors": len(suite.findall("testcase/error")),
        "skipped": len(suite.findall("testcase/skipped")),
    }
    root = ET.Element("testsuites", name="tierproof")
    for element in (root, suite):
        for name, count in counts.items():
            element.set(name, str(count))
        element.set("time", f"{report.duration_s:.3f}")
    root.append(suite)
    ET.indent(root)
    return f'<?xml version="1.0" encoding="utf-8"?>\n{ET.tostring(root, encoding="unicode")}\n'


def _any(report: Report, outcome: Outcome) -> bool:
    return any(result.outcome is outcome for result in report.results)


def _list_properties(report: Report) -> list[tuple[str, str]]:
    return [
        ("tierproof", report.version),
        ("target", report.target),
        ("verdict", report.verdict.value),
        ("model", report.model.class_name),
        ("kind", report.model.kind),
        ("parameters", str(report.model.parameters)),
        ("python", report.environment.python),
        ("torch", report.environment.torch),
        ("device", report.environment.device),
        ("seed", str(report.seed)),
    ]


def _add_case(suite: ET.Element, result: CheckResult) -> None:
    case = ET.SubElement(
        suite,
        "testcase",
        classname=f"tierproof.tier{result.tier}",
        name=clean_line(f"{result.code} {result.name}"),
        time=f"{result.duration_s:.3f}",
    )
    if result.errors or result.outcome is Outcome.FAILED:
        errors = result.errors
        message = _write_line(errors[0]) if errors else result.reason
        kind = errors[0].code if errors else result.code
        failure = ET.SubElement(case, "failure", type=clean_line(kind), message=clean_line(message))
        failure.text = "\n\n".join(_write_finding(finding) for finding in errors)
    elif result.outcome is Outcome.ERRORED:
        error = ET.SubElement(case, "error", type=clean_line(result.code), message=clean_line(result.reason))
        error.text = clean_text(result.reason)
    elif result.outcome is Outcome.SKIPPED:
        ET.SubElement(case, "skipped", message=clean_line(result.reason))
    others = [finding for finding in result.findings if finding not in result.errors]
    if others:
        ET.SubElement(case, "system-out").text = "\n\n".join(_write_finding(finding) for finding in others)


def _write_line(finding: Finding) -> str:
    return f"{finding.where}: {finding.message}" if finding.where else finding.message


def _write_finding(finding: Finding) -> str:
    lines = [f"{SEVERITY_WORDS[finding.severity]} {finding.code}: {clean_text(finding.message)}"]
    if finding.where:
        lines.append(f"where: {clean_line(finding.where)}")
    if finding.evidence:
        lines.append(
            "evidence: " + "; ".join(f"{n} {text}" for n, text in lay_out_evidence(finding.evidence))
        )
    if finding.hint:
        lines.append(f"next step: {clean_text(finding.hint)}")
    return "\n".join(clean_text(line) for line in lines)

"""What a report says, and in which order; the same for every format that people read."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from tierproof.core.check_result import CheckResult, Outcome
from tierproof.core.finding import Finding, Severity
from tierproof.core.report import Report
from tierproof.core.standing import Fact, Standing
from tierproof.core.verdict import Verdict
from tierproof.reporters.clean_text import clean_line

VERDICT_WORDS = {Verdict.PASS: "Passed", Verdict.FAIL: "Failed", Verdict.INCONCLUSIVE: "Inconclusive"}
VERDICT_MARKS = {Verdict.PASS: "✓", Verdict.FAIL: "✗", Verdict.INCONCLUSIVE: "!"}
OUTCOME_MARKS = {Outcome.PASSED: "✓", Outcome.FAILED: "✗", Outcome.SKIPPED: "–", Outcome.ERRORED: "!"}
SEVERITY_MARKS = {Severity.ERROR: "✗", Severity.WARNING: "!", Severity.INFO: "i"}
SEVERITY_WORDS = {Severity.ERROR: "error", Severity.WARNING: "warning", Severity.INFO: "note"}
# Longer sources are told in the JSON report only.
_LONGEST_VALUE = 60


@dataclass(frozen=True, slots=True)
class FindingGroup:
    """Findings with the same code and next step, which are reported once for all their modules."""

    findings: tuple[Finding, ...]

    @property
    def first(self) -> Finding:
        """The one that is shown in full."""
        return self.findings[0]

    @property
    def others(self) -> tuple[Finding, ...]:
        """The same elsewhere."""
        return self.findings[1:]


@dataclass(frozen=True, slots=True)
class Story:
    """The contents of a report, in the order in which they are shown.

    Attributes:
        headline: the verdict in one sentence, with counts; claims no more than was checked.
        lead: the worst error; None where there is no error.
        rest: the other findings, errors first.
        unjudged: checks that crashed, and, when nothing ran, those that were skipped.
    """

    headline: str
    lead: FindingGroup | None
    rest: tuple[FindingGroup, ...]
    unjudged: tuple[CheckResult, ...]


def tell(report: Report) -> Story:
    """Put what `report` holds in the order in which a reader needs it."""
    groups = _group(_rank(report.findings))
    lead = groups[0] if groups and groups[0].first.severity is Severity.ERROR else None
    unjudged = [result for result in report.results if result.outcome is Outcome.ERRORED]
    if report.verdict is Verdict.INCONCLUSIVE and not unjudged:
        unjudged = list(report.results)
    return Story(_write_headline(report), lead, groups[1:] if lead else groups, tuple(unjudged))


def _rank(findings: Sequence[Finding]) -> list[Finding]:
    """Errors that name a module come before errors of the whole model: they are where to start."""
    return sorted(findings, key=lambda finding: (list(Severity).index(finding.severity), not finding.where))


def _group(findings: Sequence[Finding]) -> tuple[FindingGroup, ...]:
    groups: dict[tuple[str, Severity, str], list[Finding]] = {}
    for finding in findings:
        groups.setdefault((finding.code, finding.severity, finding.hint), []).append(finding)
    return tuple(FindingGroup(tuple(members)) for members in groups.values())


def _write_headline(report: Report) -> str:
    counts = {outcome: sum(result.outcome is outcome for result in report.results) for outcome in Outcome}
    ran = counts[Outcome.PASSED] + counts[Outcome.FAILED]
    errors = sum(finding.severity is Severity.ERROR for finding in report.findings)
    warnings = sum(finding.severity is Severity.WARNING for finding in report.findings)
    tail = _write_tail(counts, report.verdict)
    if report.verdict is Verdict.FAIL:
        found = count_of(errors, "error") + (f" and {count_of(warnings, 'warning')}" if warnings else "")
        return f"{found} in {count_of(ran, 'check')}{tail}."
    if report.verdict is Verdict.PASS:
        found = f"no error, {count_of(warnings, 'warning')}" if warnings else "no error, no warning"
        return f"{count_of(ran, 'check')} ran: {found}{tail}. {_name_checked(report)}"
    if not report.results:
        return "No check ran, so nothing is known about the model."
    if counts[Outcome.ERRORED]:
        crashed = (
            f"{counts[Outcome.ERRORED]} of {count_of(len(report.results), 'check')} could not be carried out"
        )
        that_ran = "the one check" if ran == 1 else f"the {ran} checks"
        found = f"{that_ran} that ran found no error" if ran else "no other check ran"
        return f"{crashed}; {found}{tail}."
    skipped = "The only check was" if len(report.results) == 1 else f"All {len(report.results)} checks were"
    return f"{skipped} skipped, so nothing is known about the model."


def _write_tail(counts: dict[Outcome, int], verdict: Verdict) -> str:
    parts = []
    if counts[Outcome.ERRORED] and verdict is Verdict.FAIL:
        parts.append(f"{counts[Outcome.ERRORED]} could not be carried out")
    if counts[Outcome.SKIPPED]:
        parts.append(f"{counts[Outcome.SKIPPED]} skipped")
    return "".join(f"; {part}" for part in parts)


def _name_checked(report: Report) -> str:
    names = [clean_line(result.name) for result in report.results if result.outcome is Outcome.PASSED]
    return f"Checked: {', '.join(names)}."


def list_grounds(finding: Finding) -> str:
    """What the finding rests on that the user did not give, in one line; empty where nothing is."""
    facts = [fact for fact in finding.rests_on if fact.standing is not Standing.GIVEN]
    return ", ".join(clean_line(_describe_fact(fact)) for fact in facts)


def _describe_fact(fact: Fact) -> str:
    value = f": {fact.value}" if 0 < len(fact.value) <= _LONGEST_VALUE else ""
    return f"{fact.name} ({fact.standing.value}{value})"


def count_of(number: int, noun: str) -> str:
    """`1 check`, `2 checks`."""
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"

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
        word: the verdict; of a run that the budget cut short, how much passed so far.
        mark: one sign for it.
        tone: the verdict whose colour it has: nothing cut short is green.
        headline: the verdict in one sentence, with counts; claims no more than was checked.
        lead: the worst error; None where there is no error.
        rest: the other findings, errors first, each consequence after what it follows from.
        unjudged: checks that crashed, and, when nothing ran, those that were skipped.
    """

    word: str
    mark: str
    tone: Verdict
    headline: str
    lead: FindingGroup | None
    rest: tuple[FindingGroup, ...]
    unjudged: tuple[CheckResult, ...]


def tell(report: Report) -> Story:
    """Put what `report` holds in the order in which a reader needs it."""
    groups = _put_after_causes(_group(_rank(report.findings)))
    lead = groups[0] if groups and groups[0].first.severity is Severity.ERROR else None
    unjudged = [result for result in report.results if result.outcome is Outcome.ERRORED]
    if report.verdict is Verdict.INCONCLUSIVE and not unjudged:
        skipped = [result for result in report.results if result.outcome is Outcome.SKIPPED]
        unjudged = [result for result in skipped if result.out_of_time] or skipped
    partial = report.verdict is Verdict.PASS and _is_cut_short(report)
    tone = Verdict.INCONCLUSIVE if partial else report.verdict
    return Story(
        word=_write_progress(report) if partial else VERDICT_WORDS[report.verdict],
        mark=VERDICT_MARKS[tone],
        tone=tone,
        headline=_write_headline(report),
        lead=lead,
        rest=groups[1:] if lead else groups,
        unjudged=tuple(unjudged),
    )


def _is_cut_short(report: Report) -> bool:
    return any(result.out_of_time for result in report.results)


def _write_progress(report: Report) -> str:
    passed = sum(result.outcome is Outcome.PASSED for result in report.results)
    return f"Passed so far: {passed} of {len(report.results)}"


def _rank(findings: Sequence[Finding]) -> list[Finding]:
    """Consequences come last; errors that name a module come before errors of the whole model."""

    def place(finding: Finding) -> tuple[int, bool, bool]:
        return (
            list(Severity).index(finding.severity),
            finding.follows_from is not None,
            not finding.where,
        )

    return sorted(findings, key=place)


def _group(findings: Sequence[Finding]) -> tuple[FindingGroup, ...]:
    groups: dict[tuple[str, Severity, str], list[Finding]] = {}
    for finding in findings:
        groups.setdefault((finding.code, finding.severity, finding.hint), []).append(finding)
    return tuple(FindingGroup(tuple(members)) for members in groups.values())


def _put_after_causes(groups: Sequence[FindingGroup]) -> tuple[FindingGroup, ...]:
    """Move each consequence behind its cause; without the cause it stays where it is."""
    consequences = [group for group in groups if group.first.follows_from is not None]
    ordered = [group for group in groups if group.first.follows_from is None]
    for group in reversed(consequences):
        cause = group.first.follows_from
        place = next((n for n, other in enumerate(ordered) if cause and other.first.code == cause.code), None)
        ordered.insert(len(ordered) if place is None else place + 1, group)
    return tuple(ordered)


def _write_headline(report: Report) -> str:
    counts = {outcome: sum(result.outcome is outcome for result in report.results) for outcome in Outcome}
    ran = counts[Outcome.PASSED] + counts[Outcome.FAILED]
    errors = sum(finding.severity is Severity.ERROR for finding in report.findings)
    warnings = sum(finding.severity is Severity.WARNING for finding in report.findings)
    tail = _write_tail(counts, report.verdict)
    if report.verdict is Verdict.FAIL:
        found = count_of(errors, "error") + (f" and {count_of(warnings, 'warning')}" if warnings else "")
        return f"{found} in {count_of(ran, 'check')}{tail}."
    if _is_cut_short(report) and not counts[Outcome.ERRORED]:
        return _write_partial(report, warnings)
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


def _write_partial(report: Report, warnings: int) -> str:
    """What is known where the time budget was too short for some checks."""
    left = [clean_line(result.code) for result in report.results if result.out_of_time]
    found = f", with {count_of(warnings, 'warning')}" if warnings else ""
    return f"{_write_progress(report)} checks{found}; the time budget was too short for {', '.join(left)}."


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

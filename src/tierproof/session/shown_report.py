"""A report as a notebook shows it: rich as HTML, and no more than a screenful as text."""

from __future__ import annotations

from dataclasses import dataclass

from tierproof.core.plain_text import clean_text
from tierproof.core.report import Report
from tierproof.reporters.story import tell

_MOST_FINDINGS = 6


@dataclass(frozen=True, slots=True, repr=False)
class ShownReport:
    """A report, and what the model printed while it was checked.

    Attributes:
        report: as `tp.check` gives it.
        notes: sentences below it.
    """

    report: Report
    notes: tuple[str, ...] = ()

    def __str__(self) -> str:
        report = self.report
        story = tell(report)
        head = f"{story.mark} {story.word}: {report.target}"
        lines = [head, f"  {story.headline}"]
        shown = report.findings[:_MOST_FINDINGS]
        for finding in shown:
            where = f" at {finding.where}" if finding.where else ""
            lines.append(f"  {finding.severity.value} {finding.code}{where}: {finding.message}")
        if len(report.findings) > len(shown):
            lines.append(f"  … and {len(report.findings) - len(shown)} more in session.report.findings")
        return clean_text("\n".join([*lines, *(f"  {note}" for note in self.notes)]))

    def __repr__(self) -> str:
        return str(self)

    def _repr_html_(self) -> str:
        from tierproof.core.plain_html import show_plainly

        notes = "\n".join(self.notes)
        return self.report._repr_html_() + (show_plainly(notes) if notes else "")

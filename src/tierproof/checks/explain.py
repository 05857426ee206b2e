"""The page of a finding or a check, read from the check's docstring without importing it (and so without torch)."""

from __future__ import annotations

import ast
import importlib.util
import re
import textwrap
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from tierproof.checks.tiers import TIERS
from tierproof.core.addresses import page_address
from tierproof.core.json_value import JsonValue
from tierproof.errors import UsageError

_SECTIONS = ("What it does", "Why it matters", "Evidence", "Exemptions", "Findings", "Source")
# A finding's own page begins with what was found; then a reader wants to know why it matters.
_ORDER = ("Why it matters", "What it does", "Evidence", "Exemptions", "Source")
_HEADING = re.compile(r"(?:^|\n\n)(" + "|".join(_SECTIONS) + "): ?")
_CHECK_CODE = re.compile(r"(T\d+-[A-Z0-9]+)[,:]")
_FINDING = re.compile(r"^(T\d+-[A-Z0-9]+-\d{3}) ([a-z ]+): (.*)$", re.DOTALL)


@dataclass(frozen=True, slots=True, repr=False)
class Explanation:
    """What a code means.

    Attributes:
        code: of a finding, such as `T1-CAUSAL-001`, or of a check.
        severity: of the finding, such as `error or warning`; empty for a check.
        claim: what is wrong; for a check, what is true of a correct model.
        sections: title and text, in reading order.
        page: the address of the page.
    """

    code: str
    severity: str
    claim: str
    sections: tuple[tuple[str, str], ...]
    page: str

    def __str__(self) -> str:
        head = f"{self.code} {self.severity}: {self.claim}" if self.severity else f"{self.code}: {self.claim}"
        parts = [head, *(f"{title}\n{_indent(text)}" for title, text in self.sections), f"More: {self.page}"]
        return "\n\n".join(parts)

    def __repr__(self) -> str:
        return str(self)

    def describe(self) -> str:
        """Give it as plain text."""
        return str(self)

    def to_dict(self) -> dict[str, JsonValue]:
        """Give the explanation as JSON."""
        return {
            "code": self.code,
            "severity": self.severity,
            "claim": self.claim,
            "sections": dict(self.sections),
            "page": self.page,
        }


def explain_code(code: str, further: Sequence[str] = ()) -> Explanation:
    """Explain a finding, a check or a rule of another layer.

    Args:
        code: of a finding or a check.
        further: modules beside those of the checks, whose docstrings are read too.

    Raises:
        UsageError: no check has that code, or reports a finding of that code.
    """
    wanted = code.strip().upper()
    check = "-".join(wanted.split("-")[:2])
    documents = _read_documents(tuple(further))
    if check not in documents:
        raise UsageError(f"unknown code {code!r}", hint=f"Known checks: {' '.join(documents)}")
    claim, sections = documents[check]
    findings = _read_findings(sections["Findings"])
    if wanted == check:
        listed = "\n".join(f"{item} {kind}: {text}" for item, (kind, text) in findings.items())
        told = [(title, sections[title]) for title in _SECTIONS]
        told[_SECTIONS.index("Findings")] = ("Findings", listed or sections["Findings"])
        return Explanation(check, "", claim, tuple(told), page_address(f"{check}-000").partition("#")[0])
    if wanted not in findings:
        raise UsageError(
            f"the check {check} has no finding with the code {code!r}",
            hint=f"Its findings: {' '.join(findings)}",
        )
    severity, text = findings[wanted]
    told = [(title, sections[title]) for title in _ORDER]
    return Explanation(wanted, severity, text, tuple(told), page_address(wanted))


@cache
def _read_documents(further: tuple[str, ...]) -> dict[str, tuple[str, dict[str, str]]]:
    """Claim and sections of every check, by its code, in running order, and of further modules."""
    found = {}
    modules = [f"tierproof.checks.tier{number}.{name}" for number, names in TIERS.items() for name in names]
    for module in [*modules, *further]:
        text = _read_docstring(module)
        match = _CHECK_CODE.match(text)
        if match is None:
            continue
        claim, _, rest = text.partition("\n\n")
        parts = _HEADING.split("\n\n" + rest.strip())
        bodies = {
            title: _capitalise(_join(body)) for title, body in zip(parts[1::2], parts[2::2], strict=True)
        }
        found[match[1]] = (_capitalise(_join(claim.partition(":")[2].strip())), bodies)
    return found


def _read_docstring(module: str) -> str:
    """The docstring of a module that is not imported."""
    spec = importlib.util.find_spec(module)
    if spec is None or spec.origin is None:
        return ""
    return ast.get_docstring(ast.parse(Path(spec.origin).read_text(encoding="utf-8"))) or ""


def _read_findings(text: str) -> dict[str, tuple[str, str]]:
    """Severity and text of each finding, by its code."""
    entries = re.split(r"\n(?=T\d+-)", text)
    matches = [_FINDING.match(_join(entry)) for entry in entries]
    return {match[1]: (match[2], match[3]) for match in matches if match}


def _join(text: str) -> str:
    """Lines of one paragraph as one line; an entry of a list keeps its own."""
    lines = [line.strip() for line in text.strip().splitlines()]
    return re.sub(r" (?=T\d+-[A-Z0-9]+-\d{3} )", "\n", " ".join(lines))


def _capitalise(text: str) -> str:
    """Begin a sentence with a capital, unless it begins with a name of code."""
    return text if re.match(r"\w+[._(]\w", text) else text[:1].upper() + text[1:]


def _indent(text: str) -> str:
    lines = [
        textwrap.fill(line, 96, initial_indent="  ", subsequent_indent="  ") for line in text.splitlines()
    ]
    return "\n".join(lines)

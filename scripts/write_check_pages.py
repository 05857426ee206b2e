"""Write docs/checks.md and a page for each check.

The text comes from the docstring of the check's (or the audit rule's) module, the example from `examples/checks/` and
`examples/audit/`: one model for each check and one step for each rule, in which a line that ends in `# wrong` makes
the bug and one that ends in `# right` replaces it.

`python scripts/write_check_pages.py` writes them; with `--check` it writes nothing and fails when they differ.
"""

from __future__ import annotations

import ast
import re
import sys
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "src"))

from tierproof.checks.check import Check  # noqa: E402
from tierproof.checks.needed_traits import NEEDED_TRAITS  # noqa: E402
from tierproof.checks.registry import load_checks  # noqa: E402
from tierproof.training.audit.judge_step import load_rules  # noqa: E402
from tierproof.training.audit.rules.rule import Rule  # noqa: E402

SECTIONS = ("What it does", "Why it matters", "Evidence", "Exemptions", "Findings", "Source")
EXAMPLES = ROOT / "examples" / "checks"
AUDIT_EXAMPLES = ROOT / "examples" / "audit"
_FINDING = re.compile(r"^(T\d-[A-Z]+-\d{3}) ([a-z ]+): (.*)$", re.DOTALL)

_INTRODUCTION = """# The checks and what they can find

Each finding has a code that is never reused, a severity, the module it is about (`where`), its evidence in
numbers, and a hint. An **error** breaks an exact invariant, and the verdict is *fail*. A **warning** rests on
statistics, or on an invariant that some designs break on purpose. An **info** is worth knowing.

A check is skipped, with a reason, if it does not apply to the model: an encoder is not checked for causality.
All of these checks are tier 1: they need only torch and numpy.

**What runs.** By default, all checks except those marked *on request*; together they cost less than 25 training
steps of a large model. With `--budget S`, one training step is timed first and the cost of each check is
estimated from it. The most valuable checks that fit are run, including those on request. Checks that do not fit
are reported as skipped, with the estimate and the budget that would include them. `--only CODE` runs a check on
request. A run that a budget cut short is never a plain pass: it says *passed so far*, and without T1-SHAPE, T1-GRAD,
T1-STAB or T1-INIT its verdict is *inconclusive*.

**One bug does not hide another.** While the other checks run, layers in plain attributes are registered, and dropout
that evaluation mode does not reach is switched off; afterwards everything is as it was. A finding that only follows
from another one says so, stands after it, and has no advice of its own (`follows_from` in the JSON).

**Half precision.** A model whose weights are bfloat16 or float16 is checked with the same weights in float32, where
the memory allows it: rounding would hide faults, and look like faults that are not there. Speed, memory, compilation
and export are asked of the model as it came; what is not finite only there is an error (`T1-STAB-001`).

`tierproof explain CODE` and `tp.explain("CODE")` print what a finding or a check means.
"""


@dataclass(frozen=True)
class CheckDocument:
    """A check's docstring, taken apart: its claim, and the text of each section."""

    claim: str
    sections: dict[str, str]

    @property
    def findings(self) -> list[tuple[str, str, str]]:
        """Code, severity and text of each finding."""
        entries = re.split(r"\n(?=T\d-)", self.sections["Findings"])
        found = [_FINDING.match(re.sub(r"\s+", " ", entry.strip())) for entry in entries]
        return [(match[1], match[2], match[3]) for match in found if match]


@dataclass(frozen=True)
class Example:
    """A model with a bug that the check finds, and the same model without it, as source code."""

    caption: str
    wrong: str
    right: str


def read_example(code: str, folder: Path = EXAMPLES) -> Example:
    """Read the example of a check or rule, and make its two versions out of it.

    Raises:
        ValueError: the file has no docstring, which is the caption.
    """
    path = folder / f"{code.lower().replace('-', '_')}.py"
    text = path.read_text(encoding="utf-8")
    caption = ast.get_docstring(ast.parse(text))
    if caption is None:
        raise ValueError(f"{path}: a docstring must say what is wrong")
    code_lines = text.splitlines()[caption.count("\n") + 1 :]
    return Example(caption, _leave_out(code_lines, "right"), _leave_out(code_lines, "wrong"))


def _leave_out(lines: list[str], mark: str) -> str:
    """The code without the lines that are marked so, and without the imports that only they need."""
    kept = [line for line in lines if not re.search(rf"  # {mark}\b", line)]
    body = "\n".join(line for line in kept if not line.startswith(("import ", "from ")))
    needed = [line for line in kept if not _is_unused_import(line, body)]
    code = re.sub(r"\n{3,}(?= )", "\n\n", "\n".join(needed))
    return re.sub(r"\n{4,}", "\n\n\n", code).strip()


def _is_unused_import(line: str, body: str) -> bool:
    match = re.match(r"(?:import|from \S+ import) .*?(\w+)$", line)
    return match is not None and re.search(rf"\b{match[1]}\b", body) is None


def read_document(module_name: str) -> CheckDocument:
    """Take the docstring of a check's or rule's module apart.

    Raises:
        ValueError: a section is missing, or the order is another one.
    """
    module = sys.modules[module_name]
    text = re.sub(r"\n[ ]+", "\n", module.__doc__ or "")
    claim, _, rest = text.partition("\n\n")
    claim = re.sub(r"\s+", " ", claim.partition(":")[2]).strip()
    parts = re.split(r"(?:^|\n\n)(" + "|".join(SECTIONS) + "): ?", "\n\n" + rest.strip())
    names, bodies = parts[1::2], parts[2::2]
    if tuple(names) != SECTIONS:
        raise ValueError(f"{module.__name__}: the sections are {names}, and should be {list(SECTIONS)}")
    return CheckDocument(claim, {n: b.strip() for n, b in zip(names, bodies, strict=True)})


def render_page(check: Check) -> str:
    """The page of one check."""
    document = read_document(check.run.__module__)
    lines = _render_document(check.code, check.name, document, read_example(check.code))
    needs = [f"- *{word}*: {NEEDED_TRAITS[word].meaning}" for word in check.needs]
    lines += ["## Needs and cost", ""]
    lines += [*needs, ""] if needs else ["It runs on every model.", ""]
    asked = " It runs only on request." if check.opt_in else ""
    lines.append(
        f"It costs about {check.cost_steps:g} training steps on a large model. Its value is {check.value} of 100: "
        f"under a time budget, checks of higher value are kept first.{asked}"
    )
    lines += ["", "[All checks](../checks.md)", ""]
    return "\n".join(lines)


def render_rule_page(rule: Rule) -> str:
    """The page of one rule of the audit."""
    document = read_document(rule.judge.__module__)
    lines = _render_document(rule.code, rule.name, document, read_example(rule.code, AUDIT_EXAMPLES))
    lines += ["[The audit of a training step](../audit.md) · [All checks](../checks.md)", ""]
    return "\n".join(lines)


def _render_document(code: str, name: str, document: CheckDocument, example: Example) -> list[str]:
    lines = [f"# `{code}` {name}", "", f"{_capitalise(document.claim)}", ""]
    for section in SECTIONS:
        if section == "Findings":
            lines += ["## Findings", "", *_render_findings(document), ""]
        else:
            lines += [f"## {section}", "", _capitalise(document.sections[section]), ""]
        if section == "Why it matters":
            lines += _render_example(example)
    return lines


def _render_example(example: Example) -> list[str]:
    blocks = ["```python", example.wrong, "```", "", "Fixed:", "", "```python", example.right, "```", ""]
    return ["## Example", "", example.caption, "", *blocks]


def _render_findings(document: CheckDocument) -> list[str]:
    if not document.findings:
        return [_capitalise(document.sections["Findings"])]
    rows = [
        f'| <a id="{code}"></a>`{code}` | {severity} | {_capitalise(text)} |'
        for code, severity, text in document.findings
    ]
    return ["| code | severity | what is wrong |", "|---|---|---|", *rows]


def render_index(checks: tuple[Check, ...], rules: tuple[Rule, ...]) -> str:
    """The page that lists all checks, and the rules of the audit."""
    claims = {check.code: _capitalise(read_document(check.run.__module__).claim) for check in checks}
    rows = [
        f"| [`{check.code}`](checks/{check.code}.md) | {check.name} | {claims[check.code]} "
        f"| {'on request' if check.opt_in else 'by default'} | {check.cost_steps:g} |"
        for check in checks
    ]
    table = [
        "| check | name | what is true for a correct model | runs | training steps |",
        "|---|---|---|---|---|",
    ]
    audited = [
        f"| [`{rule.code}`](checks/{rule.code}.md) | {rule.name} "
        f"| {_capitalise(read_document(rule.judge.__module__).claim)} |"
        for rule in rules
    ]
    rules_table = [
        "",
        "## Rules of the audit of a training step",
        "",
        "`tierproof audit` and `tp.audit` judge a training step, with at most thirty steps; see [audit.md](audit.md).",
        "",
        "| rule | name | what is true of a correct step |",
        "|---|---|---|",
    ]
    return "\n".join([_INTRODUCTION, *table, *rows, *rules_table, *audited, ""])


def render_pages() -> dict[str, str]:
    """Every page by its path below the root of the repository."""
    checks = load_checks()
    rules = load_rules()
    pages = {f"docs/checks/{check.code}.md": render_page(check) for check in checks}
    rule_pages = {f"docs/checks/{rule.code}.md": render_rule_page(rule) for rule in rules}
    return {"docs/checks.md": render_index(checks, rules), **pages, **rule_pages}


def _capitalise(text: str) -> str:
    """Begin a sentence with a capital, unless it begins with a name of code."""
    return text if re.match(r"\w+[._(]\w", text) else text[:1].upper() + text[1:]


def main() -> int:
    """Write the pages, or with `--check` tell which differ; 1 when some do."""
    pages = render_pages()
    folder = ROOT / "docs" / "checks"
    stale = [path for path in folder.glob("*.md") if f"docs/checks/{path.name}" not in pages]
    differ = [
        path
        for path, text in pages.items()
        if not (ROOT / path).is_file() or (ROOT / path).read_text(encoding="utf-8") != text
    ]
    if "--check" in sys.argv[1:]:
        for path in [*differ, *map(str, stale)]:
            print(f"{path} differs: run scripts/write_check_pages.py")
        return 1 if differ or stale else 0
    folder.mkdir(exist_ok=True)
    for page in stale:
        page.unlink()
    for path in differ:
        (ROOT / path).write_text(pages[path], encoding="utf-8")
        print(f"wrote {path}")
    return 0


if __name__ == "__main__":
    sys.exit(main())

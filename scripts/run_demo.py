"""Check the example models, write a report for each, and say where the reports are.

Three examples are healthy and must pass, among them the one that the package brings for its notebooks;
`broken_gpt.py` has a bug planted in it and must fail, so that there is a failing report to look at. Anything else
is an error of the demo, and its exit code is 1.
"""

from __future__ import annotations

import re
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
REPORTS = ROOT / "reports"
VERDICTS = {0: "pass", 1: "fail", 2: "inconclusive"}
# By target: what TARGET of `tierproof check` takes.
EXPECTED = {
    "tierproof.notebooks.example_model:build_model": "pass",
    "examples/vit.py": "pass",
    "examples/seq2seq.py": "pass",
    "examples/broken_gpt.py": "fail",
}


@dataclass(frozen=True)
class Outcome:
    """What `tierproof check` said of one example."""

    target: str
    verdict: str
    report: Path

    @property
    def problem(self) -> str:
        """What is not as it should be; empty when all is."""
        if self.verdict != EXPECTED[self.target]:
            return f"expected {EXPECTED[self.target]}"
        return "" if self.report.is_file() else "no report was written"

    def describe(self) -> str:
        """One line: verdict, example, report."""
        remark = f"   <- {self.problem}" if self.problem else ""
        return f"{self.verdict:<13}{self.target:<47}{self.report}{remark}"


def check_example(target: str) -> Outcome:
    """Run `tierproof check` on one example, its output passed through."""
    report = REPORTS / f"{re.split(r'[./]', target.removesuffix('.py').partition(':')[0])[-1]}.html"
    report.unlink(missing_ok=True)
    command = [
        str(Path(sys.executable).with_name("tierproof")),
        "check",
        target,
        "-o",
        str(report),
    ]
    print(f"$ tierproof check {target} -o reports/{report.name}", flush=True)
    done = subprocess.run(command, check=False, cwd=ROOT, stdout=subprocess.PIPE, text=True)
    outcome = Outcome(target, VERDICTS.get(done.returncode, f"exit code {done.returncode}"), report)
    if outcome.verdict != "pass" or outcome.problem:  # a pass is told by its line at the end
        print(f"\n{done.stdout}", flush=True)
    return outcome


def main() -> int:
    """Check every example; 0 when each verdict is the expected one."""
    REPORTS.mkdir(exist_ok=True)
    outcomes = [check_example(target) for target in EXPECTED]
    print("\nReports (open them in a browser; broken_gpt.py has a bug planted in it):")
    for outcome in outcomes:
        print(f"  {outcome.describe()}")
    return 1 if any(outcome.problem for outcome in outcomes) else 0


if __name__ == "__main__":
    sys.exit(main())

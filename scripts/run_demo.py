"""Check the example models, write a report for each, and say where the reports are.

Three examples are healthy and must pass; `broken_gpt.py` has a bug planted in it and must fail, so that
there is a failing report to look at. Anything else is an error of the demo, and its exit code is 1.
"""

from __future__ import annotations

import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
EXAMPLES = ROOT / "examples"
REPORTS = ROOT / "reports"
VERDICTS = {0: "pass", 1: "fail", 2: "inconclusive"}
EXPECTED = {"char_gpt": "pass", "vit": "pass", "seq2seq": "pass", "broken_gpt": "fail"}


@dataclass(frozen=True)
class Outcome:
    """What `tierproof check` said of one example."""

    example: str
    verdict: str
    report: Path

    @property
    def problem(self) -> str:
        """What is not as it should be; empty when all is."""
        if self.verdict != EXPECTED[self.example]:
            return f"expected {EXPECTED[self.example]}"
        return "" if self.report.is_file() else "no report was written"

    def describe(self) -> str:
        """One line: verdict, example, report."""
        remark = f"   <- {self.problem}" if self.problem else ""
        return f"{self.verdict:<13}{f'examples/{self.example}.py':<24}{self.report}{remark}"


def check_example(example: str) -> Outcome:
    """Run `tierproof check` on one example, its output passed through."""
    report = REPORTS / f"{example}.html"
    report.unlink(missing_ok=True)
    command = [
        str(Path(sys.executable).with_name("tierproof")),
        "check",
        f"examples/{example}.py",
        "-o",
        str(report),
    ]
    print(f"$ tierproof check examples/{example}.py -o reports/{report.name}", flush=True)
    done = subprocess.run(command, check=False, cwd=ROOT, stdout=subprocess.PIPE, text=True)
    outcome = Outcome(example, VERDICTS.get(done.returncode, f"exit code {done.returncode}"), report)
    if outcome.verdict != "pass" or outcome.problem:  # a pass is told by its line at the end
        print(f"\n{done.stdout}", flush=True)
    return outcome


def main() -> int:
    """Check every example; 0 when each verdict is the expected one."""
    REPORTS.mkdir(exist_ok=True)
    outcomes = [check_example(example) for example in EXPECTED]
    print("\nReports (open them in a browser; broken_gpt.py has a bug planted in it):")
    for outcome in outcomes:
        print(f"  {outcome.describe()}")
    return 1 if any(outcome.problem for outcome in outcomes) else 0


if __name__ == "__main__":
    sys.exit(main())

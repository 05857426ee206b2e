"""Run the notebooks on live Colab, through Google's own command line. It needs an account; CI never runs it.

    python scripts/e2e_colab.py [--gpu T4]

What it does is in docs/e2e-colab.md. Exit codes: 0 = all ran and their verdicts are there, 1 = not all,
2 = it could not be run.
"""

from __future__ import annotations

import argparse
import json
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
SESSION = "tierproof-e2e"
NOTEBOOKS = ("validate", "quickstart", "rescue")
_WITH_VERDICT = ("validate", "quickstart")


def main() -> int:
    """Run every notebook in one session, which is given back in any case."""
    parser = argparse.ArgumentParser(description="Run the notebooks on live Colab.")
    parser.add_argument("--gpu", default="", help="T4, L4, A100 or H100; a CPU without it")
    arguments = parser.parse_args()
    if shutil.which("colab") is None:
        print(
            "NOT RUN: there is no command `colab`.\n"
            "Install Google's command line (googlecolab/google-colab-cli) and sign in: docs/e2e-colab.md",
            file=sys.stderr,
        )
        return 2
    with tempfile.TemporaryDirectory() as folder:
        try:
            return run_on_colab(Path(folder), arguments.gpu)
        except subprocess.CalledProcessError as error:
            print(f"NOT RUN to its end: {' '.join(map(str, error.cmd))} failed", file=sys.stderr)
            return 2


def run_on_colab(folder: Path, gpu: str) -> int:
    """Make a session, bring this tree's wheel there, run the notebooks and judge what they left."""
    wheel = build_wheel(folder)
    colab("new", "-s", SESSION, *(["--gpu", gpu] if gpu else []))
    try:
        colab("upload", "-s", SESSION, str(wheel), f"/content/{wheel.name}")
        setting = f"import os; os.environ['TIERPROOF_SOURCE'] = '/content/{wheel.name}'"
        colab("exec", "-s", SESSION, text=setting)
        problems = [problem for name in NOTEBOOKS for problem in run_notebook(name, folder)]
    finally:
        subprocess.run(["colab", "stop", "-s", SESSION], check=False)
    for problem in problems:
        print(f"✗ {problem}")
    print("✓ every notebook ran" if not problems else f"{len(problems)} problems")
    return 1 if problems else 0


def run_notebook(name: str, folder: Path) -> list[str]:
    """Run one; `colab exec` goes on after an error, so what it left is read cell by cell."""
    copy = folder / f"{name}.ipynb"
    shutil.copy(ROOT / "notebooks" / copy.name, copy)
    colab("exec", "-s", SESSION, "-f", str(copy))
    left = json.loads((folder / f"{name}_output.ipynb").read_text(encoding="utf-8"))
    shown = [output for cell in left["cells"] for output in cell.get("outputs", ())]
    problems = [
        f"{name}: {output.get('ename')}: {output.get('evalue')}"
        for output in shown
        if output["output_type"] == "error"
    ]
    if name in _WITH_VERDICT and not any("Verdict: passed." in read_text(output) for output in shown):
        problems.append(f"{name}: the last cell does not say that the example passed")
    return problems


def read_text(output: dict[str, Any]) -> str:
    """The text of one output."""
    text = output.get("data", {}).get("text/plain", output.get("text", ""))
    return text if isinstance(text, str) else "".join(text)


def build_wheel(folder: Path) -> Path:
    """The wheel of this tree, for as long as tierproof is not published."""
    command = [sys.executable, "-m", "pip", "wheel", "-q", "--no-deps", "-w", str(folder), str(ROOT)]
    subprocess.run(command, check=True)
    return next(folder.glob("tierproof-*.whl"))


def colab(*words: str, text: str | None = None) -> None:
    """Run one command of Google's command line.

    Raises:
        subprocess.CalledProcessError: it failed.
    """
    print(f"$ colab {' '.join(words)}", flush=True)
    subprocess.run(["colab", *words], input=text, text=True, check=True)


if __name__ == "__main__":
    sys.exit(main())

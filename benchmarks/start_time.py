"""Part (b): what `import tierproof` and `tierproof --help` take."""

from __future__ import annotations

import statistics
import subprocess
import sys
import time

from table import format_table

RUNS = 15
MOST_IMPORT_MS, MOST_HELP_MS = 60.0, 250.0
_HELP = "import sys; sys.argv = ['tierproof', '--help']; from tierproof.cli.main import main; main()"


def run() -> tuple[str, bool]:
    """The table, and whether both bars are met."""
    commands = {"python": "pass", "import tierproof": "import tierproof", "tierproof --help": _HELP}
    times: dict[str, list[float]] = {name: [] for name in commands}
    for _ in range(RUNS + 1):  # in turns, so that a slow moment of the machine hits all alike
        for name, code in commands.items():
            started = time.perf_counter()
            subprocess.run([sys.executable, "-c", code], check=True, capture_output=True)
            times[name].append(1e3 * (time.perf_counter() - started))
    medians = {
        name: statistics.median(values[1:]) for name, values in times.items()
    }  # the first fills caches
    over_ms = medians["import tierproof"] - medians["python"]
    help_ms = medians["tierproof --help"]
    met = over_ms <= MOST_IMPORT_MS and help_ms <= MOST_HELP_MS
    import_met, help_met = _say(over_ms <= MOST_IMPORT_MS), _say(help_ms <= MOST_HELP_MS)
    rows = [
        ("bare python", f"median of {RUNS}", f"{medians['python']:.0f}", "", ""),
        ("import tierproof", "over bare python", f"{over_ms:.0f}", f"{MOST_IMPORT_MS:.0f}", import_met),
        ("tierproof --help", "whole process", f"{help_ms:.0f}", f"{MOST_HELP_MS:.0f}", help_met),
    ]
    return format_table(("command", "what", "ms", "bar", ""), rows), met


def _say(met: bool) -> str:
    return "met" if met else "MISSED"

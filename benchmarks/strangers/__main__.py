"""`python benchmarks/strangers [NAME…] [--packages DIR] [--out FILE] [--write]`: check the models of strangers."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from strangers.cases import CASES
from strangers.run import run


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("names", nargs="*", metavar="NAME", help="a case; all of them when none is named")
    parser.add_argument(
        "--packages", type=Path, help="folder for the packages; by default below the user's cache"
    )
    parser.add_argument("--out", type=Path, help="file of the records; a run goes on where it stopped")
    parser.add_argument("--write", action="store_true", help="put the table into RESULTS.md")
    options = parser.parse_args()
    unknown = sorted(set(options.names) - set(CASES))
    if unknown:
        parser.error(f"no such case: {', '.join(unknown)}")
    table, met = run(options.names, options.packages and options.packages.resolve(), options.out)
    print(table)
    if options.write:
        from run import RESULTS, describe_machine, write_section

        text = f"{describe_machine()}\n\n{table}"
        write_section(
            RESULTS, "strangers", "Models of strangers", text, command="python benchmarks/strangers --write"
        )
    return 0 if met else 1


if __name__ == "__main__":
    sys.exit(main())

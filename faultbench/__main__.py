"""Run the fault bench: `make faultbench`, or `python -m faultbench [NAME, CLASS or HOST …]`."""

from __future__ import annotations

import argparse
import multiprocessing
import sys
from pathlib import Path

from faultbench.judge import judge_all
from faultbench.mutant import Mutant
from faultbench.mutants import load_mutants

ROOT = Path(__file__).resolve().parent.parent


def main() -> int:
    """Print the table; 1 when a bar is missed."""
    parser = argparse.ArgumentParser(prog="python -m faultbench", description=__doc__)
    parser.add_argument("only", nargs="*", help="names, classes or hosts; all by default")
    parser.add_argument("--workers", type=int, default=2, help="processes (default 2)")
    parser.add_argument("--no-peers", action="store_true", help="leave the other tools out")
    parser.add_argument(
        "--seeds", type=int, default=0, metavar="N", help="instead, ask N seeds for 30 mutants each"
    )
    parser.add_argument(
        "--renamed", action="store_true", help="instead, ask under random and misleading names"
    )
    parser.add_argument("--show", action="store_true", help="print the patches instead of running them")
    parser.add_argument("--write", action="store_true", help="put table and figure into benchmarks/")
    options = parser.parse_args()
    mutants = select(options.only)
    if not mutants:
        parser.error("nothing is called that; --show lists the names")
    if options.show:
        for mutant in mutants:
            print(f"== {mutant.name} ({mutant.kind}; {mutant.host})")
            print(f"{mutant.realism} {mutant.reference}\n{mutant.describe()}\n")
        return 0
    from faultbench import renamed, results, stability

    with multiprocessing.get_context("spawn").Pool(options.workers) as pool:
        if options.seeds:
            text, met = stability.measure_stability(pool, mutants, options.seeds)
            title, name = "Verdicts of mutants under other seeds", "faultbench-seeds"
        elif options.renamed:
            text, met = renamed.compare_namings(pool, mutants)
            title, name = "Mutants under other names", "faultbench-renamed"
        else:
            judgements = judge_all(pool, mutants)
            peers = {} if options.no_peers else results.ask_all_peers(pool, mutants)
            text, met = results.summarize(judgements, peers)
            title, name = "The fault bench", "faultbench"
            if options.write:
                results.draw(judgements, peers, ROOT / "benchmarks" / "faultbench.svg")
    print(text)
    if options.write:
        results.write(ROOT, name, title, text)
    return 0 if met else 1


def select(only: list[str]) -> list[Mutant]:
    """The mutants of these names, classes or hosts."""
    return [
        m
        for m in load_mutants()
        if not only or {m.name, m.kind, m.kind.replace(" ", "_"), m.host} & set(only)
    ]


if __name__ == "__main__":
    sys.exit(main())

"""Run the loop bench: `make loopbench`, or `python -m loopbench [NAME, CLASS or LOOP …]`."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from loopbench.fault import Fault, list_sound
from loopbench.faults import load_faults
from loopbench.judge import Audited, Judgement, audit_loop, judge_fault
from loopbench.results import describe_alarms, summarize, write

ROOT = Path(__file__).resolve().parent.parent


def main() -> int:
    """Print the tables; 1 when a bar is missed."""
    parser = argparse.ArgumentParser(prog="python -m loopbench", description=__doc__)
    parser.add_argument("only", nargs="*", help="names, classes or loops; all by default")
    parser.add_argument("--show", action="store_true", help="print the patches instead of running them")
    parser.add_argument("--write", action="store_true", help="put the tables into benchmarks/RESULTS.md")
    options = parser.parse_args()
    faults = select(options.only)
    sound = [(name, source) for name, source in list_sound() if not options.only or name in options.only]
    if not faults and not sound:
        parser.error("nothing is called that; --show lists the names")
    if options.show:
        for fault in faults:
            print(f"== {fault.name} ({fault.kind}; {fault.loop})")
            print(f"{fault.realism} {fault.reference}\n{fault.describe()}\n")
        return 0
    loops = {name: _audit(name, source) for name, source in sound}
    hosts = dict(list_sound())
    for fault in faults:
        if fault.loop not in loops:
            loops[fault.loop] = _audit(fault.loop, hosts[fault.loop])
    judgements = [_judge(fault, loops[fault.loop]) for fault in faults]
    text, met = summarize(judgements, list(loops.values()))
    print(text)
    if options.write:
        write(ROOT, text)
    return 0 if met else 1


def select(only: list[str]) -> list[Fault]:
    """The faults of these names, classes or loops."""
    return [each for each in load_faults() if not only or {each.name, each.kind, each.loop} & set(only)]


def _audit(name: str, source: str) -> Audited:
    audited = audit_loop(name, source)
    said = describe_alarms(audited.alarms) or audited.refused or audited.lacking or "silent"
    _tell(audited, f"sound {name}: {said}")
    return audited


def _judge(fault: Fault, sound: Audited) -> Judgement:
    judgement = judge_fault(fault, sound)
    state = "located" if judgement.located else "found" if judgement.found else "MISSED"
    said = "" if judgement.located else describe_alarms(judgement.own) or judgement.audited.refused
    _tell(judgement.audited, f"{fault.name}: {state} {said}")
    return judgement


def _tell(audited: Audited, text: str) -> None:
    more = [f"not restored: {list(audited.unlike)[:4]}"] if audited.unlike else []
    more += [f"crashed: {each}" for each in audited.errored]
    print(
        f"{text} [{audited.seconds:.1f} s, {audited.steps} steps] {' '.join(more)}",
        file=sys.stderr,
        flush=True,
    )


if __name__ == "__main__":
    sys.exit(main())

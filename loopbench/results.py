"""The loop bench's figures as tables, and as a section of RESULTS.md."""

from __future__ import annotations

import importlib.util
import statistics
import sys
from collections.abc import Iterable
from pathlib import Path

from loopbench.judge import Alarm, Audited, Judgement

LOCATED_BAR, WARNED_BAR, STEPS_BAR = 0.95, 0.10, 30


def describe_alarms(alarms: Iterable[Alarm]) -> str:
    """Codes with what was said."""
    return "; ".join(f"{each.code} {each.severity} [{each.where}] {each.message}" for each in alarms)


def summarize(judgements: list[Judgement], sound: list[Audited]) -> tuple[str, bool]:
    """The tables, and whether the bars are met."""
    parts = [*_summarize_faults(judgements), "", *_summarize_sound(sound)]
    every = [*(each.audited for each in judgements), *sound]
    unlike = [each.name for each in every if each.unlike]
    most = max((each.steps for each in every), default=0)
    crashed = [each.name for each in every if each.errored]
    known = [each for each in judgements if not each.audited.lacking]
    located = _share(each.located for each in known)
    judged = [each for each in sound if not each.refused and not each.lacking]
    errors = [each.name for each in judged if each.list_alarms("error")]
    warned = [each.name for each in judged if each.list_alarms("warning")]
    parts += [
        "",
        f"faults found and located: {located:.1%} of {len(known)} (bar {LOCATED_BAR:.0%})",
        f"sound loops with an error: {len(errors)} of {len(judged)} (bar 0){_list(errors)}",
        f"sound loops with a warning: {len(warned)} of {len(judged)} (bar {WARNED_BAR:.0%}){_list(warned)}",
        f"most steps in one audit: {most} (bar {STEPS_BAR})",
        f"not left as they came: {len(unlike)} (bar 0){_list(unlike)}",
        f"with a rule that crashed: {len(crashed)} (bar 0){_list(crashed)}",
    ]
    met = (
        located >= LOCATED_BAR
        and not errors
        and len(warned) <= WARNED_BAR * max(1, len(judged))
        and most <= STEPS_BAR
        and not unlike
        and not crashed
    )
    return "\n".join(parts), met


def _summarize_faults(judgements: list[Judgement]) -> Iterable[str]:
    kinds = list(dict.fromkeys(each.fault.kind for each in judgements))
    groups = [(kind, [each for each in judgements if each.fault.kind == kind]) for kind in kinds]
    rows = [_make_row(kind, group) for kind, group in [*groups, ("all", judgements)]]
    yield from _format(["faults", "planted", "found", "located", "as errors", "median s", "most steps"], rows)
    for each in judgements:
        if each.audited.lacking:
            yield f"not run: {each.fault.name} ({each.audited.lacking} is not installed)"
        elif not each.found:
            yield f"missed: {each.fault.name} ({each.fault.loop}): {each.fault.realism}"
        elif not each.located:
            yield f"located elsewhere: {each.fault.name} ({each.fault.loop}): {', '.join(a.code for a in each.own)}"


def _make_row(kind: str, group: list[Judgement]) -> list[str]:
    known = [each for each in group if not each.audited.lacking]
    return [
        kind,
        str(len(group)),
        str(sum(each.found for each in known)),
        str(sum(each.located for each in known)),
        str(sum(each.is_error for each in known)),
        f"{statistics.median(each.audited.seconds for each in known):.1f}" if known else "",
        str(max((each.audited.steps for each in known), default=0)),
    ]


def _summarize_sound(sound: list[Audited]) -> Iterable[str]:
    rows = []
    for each in sound:
        said = each.lacking and f"not run: {each.lacking} is not installed"
        said = said or (each.refused and f"refused: {each.refused[:100]}")
        said = said or ", ".join(f"{a.code} ({a.severity})" for a in each.alarms) or "silent"
        rows.append([each.name, f"{each.seconds:.1f}", str(each.steps), said])
    return _format(["sound loops", "s", "steps", "said"], rows)


def _share(values: Iterable[bool]) -> float:
    listed = list(values)
    return sum(listed) / len(listed) if listed else 1.0


def _list(names: list[str]) -> str:
    return f" ({', '.join(names)})" if names else ""


def _format(head: list[str], rows: list[list[str]]) -> list[str]:
    widths = [max(len(row[column]) for row in (head, *rows)) for column in range(len(head))]
    last = len(head) - 1
    return [
        "  ".join(
            cell.ljust(width) if index in (0, last) else cell.rjust(width)
            for index, (cell, width) in enumerate(zip(cells, widths, strict=True))
        ).rstrip()
        for cells in (head, ["-" * width for width in widths], *rows)
    ]


def write(root: Path, text: str) -> None:
    """Put the text into benchmarks/RESULTS.md, as the parts of `make bench` do."""
    path = root / "benchmarks" / "run.py"
    sys.path.insert(0, str(path.parent))
    spec = importlib.util.spec_from_file_location("benchmarks_run", path)
    assert spec is not None
    assert spec.loader is not None
    run = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(run)
    described = f"{run.describe_machine()}\n\n{text}"
    run.write_section(
        run.RESULTS, "loopbench", "The loop bench", described, command="python -m loopbench --write"
    )

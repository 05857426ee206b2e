"""Part (z): what the checks say of healthy models. Every error here is a false alarm, or has to be explained."""

from __future__ import annotations

import statistics
from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from table import format_table
from zoo_sweep import Record, find_codes, prepare_process, sweep

if TYPE_CHECKING:
    from zoo.healthy import ZooModel

_FOLDER = Path(__file__).resolve().parent / ".zoo"
MOST_ERRORS, MOST_WARNINGS, MOST_MEDIAN_S, FIRST, SEEDS = 0.01, 0.07, 2.0, 30, 50


def run() -> tuple[str, bool]:
    """The tables over the whole zoo at one seed, and whether the bars are met."""
    prepare_process()
    from zoo.healthy import list_zoo

    _FOLDER.mkdir(exist_ok=True)
    return summarize(sweep(list_zoo(), _FOLDER / "zoo.jsonl"))


def run_seeds() -> tuple[str, bool]:
    """The first models at fifty seeds, of their parameters and of the checks: does any verdict change?"""
    prepare_process()
    from zoo.healthy import list_zoo

    _FOLDER.mkdir(exist_ok=True)
    return summarize_seeds(check_at_seeds(list_zoo()[:FIRST], _FOLDER / "seeds.jsonl"))


def check_at_seeds(models: Sequence[ZooModel], out: Path) -> list[Record]:
    """Check models at every seed, without the checks that measure and never give an error."""
    return sweep(models, out, seeds=range(SEEDS), skip=("T1-SPEED", "T1-MEM"))


def summarize(records: Sequence[Record]) -> tuple[str, bool]:
    """The table by family, the bars, and every model with an error or warning and its explanation."""
    from zoo.not_tiny import NOT_TINY

    checked = [record for record in records if "failure" not in record]
    errors = [record for record in checked if find_codes(record, "error")]
    warnings = [record for record in checked if find_codes(record, "warning")]
    errored = [record for record in checked if record["errored"]]
    median_s = statistics.median(record["cpu_seconds"] for record in checked)
    unexplained = [
        record["name"] for record in errors if any(not why for _, why in _explain(record, "error"))
    ]
    bars = (
        ("errors", len(errors) / len(checked), MOST_ERRORS, f"{len(errors)} of {len(checked)} models"),
        ("warnings", len(warnings) / len(checked), MOST_WARNINGS, f"{len(warnings)} of {len(checked)} models"),
        ("errored", len(errored), 0, f"{len(errored)} models with a check that crashed"),
        ("unexplained", len(unexplained), 0, f"errors without an explanation: {', '.join(unexplained) or 'none'}"),
        ("time", median_s, MOST_MEDIAN_S, f"median {median_s:.2f} s of one CPU"),
    )  # fmt: skip
    lines = [
        f"{len(checked)} healthy models, each checked at Tier 1 in a process of its own, one thread.",
        _tabulate_families(checked),
        *(
            f"Bar: {name} at most {most:g}: {value:.3g} ({words}), {'met' if value <= most else 'MISSED'}."
            for name, value, most, words in bars
        ),
        "Every model with an error or a warning:",
        _tabulate_findings(checked),
    ]
    failed = [record for record in records if "failure" in record]
    lines += [f"Not checked: {record['name']}: {record['failure'].splitlines()[0]}" for record in failed]
    reasons: dict[str, list[str]] = defaultdict(list)
    for model_type, reason in NOT_TINY.items():
        reasons[reason].append(model_type)
    lines += [f"Not in the zoo ({len(types)} types): {reason}." for reason, types in reasons.items()]
    return "\n".join(lines), all(value <= most for _, value, most, _ in bars) and not failed


def _tabulate_families(checked: Sequence[Record]) -> str:
    families: dict[str, list[Record]] = defaultdict(list)
    for record in checked:
        families[record["family"]].append(record)
    families["all"] = list(checked)
    rows = [
        (
            family,
            str(len(records)),
            str(sum(bool(find_codes(record, "error")) for record in records)),
            str(sum(bool(find_codes(record, "warning")) for record in records)),
            str(sum(bool(record["errored"]) for record in records)),
            f"{statistics.median(record['cpu_seconds'] for record in records):.2f}",
            f"{_find_p95([record['cpu_seconds'] for record in records]):.2f}",
            f"{statistics.median(record['seconds'] for record in records):.2f}",
        )
        for family, records in families.items()
    ]
    head = ("family", "models", "errors", "warnings", "errored", "median CPU s", "p95 CPU s", "median wall s")
    return format_table(head, rows)


def _find_p95(values: Sequence[float]) -> float:
    return sorted(values)[min(len(values) - 1, round(0.95 * (len(values) - 1)))]


def _tabulate_findings(checked: Sequence[Record]) -> str:
    rows = [
        (record["name"], f"{severity} {code}", why or "NOT EXPLAINED")
        for record in checked
        for severity in ("error", "warning")
        for code, why in _explain(record, severity)
    ]
    widths = [max([len(row[column]) for row in rows], default=0) for column in range(2)]
    return "\n".join(f"{name.ljust(widths[0])}  {code.ljust(widths[1])}  {why}" for name, code, why in rows)


def _explain(record: Record, severity: str) -> list[tuple[str, str]]:
    """The codes of a severity, each with why it is so; empty where nobody has said."""
    from zoo.explained import EXPLAINED

    return [(code, EXPLAINED.get((record["name"], code), "")) for code in find_codes(record, severity)]


def find_verdict(record: Record) -> tuple[object, ...]:
    """What must not depend on a seed: the verdict, and the errors."""
    return (record["verdict"], *find_codes(record, "error"), *sorted(record.get("errored", ())))


def summarize_seeds(records: Sequence[Record]) -> tuple[str, bool]:
    """One row for each model whose verdict changes, and the counts."""
    seen: dict[str, dict[tuple[object, ...], list[int]]] = defaultdict(lambda: defaultdict(list))
    warned: dict[str, set[tuple[str, ...]]] = defaultdict(set)
    for record in records:
        seen[record["name"]][find_verdict(record)].append(record["seed"])
        warned[record["name"]].add(tuple(find_codes(record, "warning")))
    changing = {name: verdicts for name, verdicts in seen.items() if len(verdicts) > 1}
    seeds = len({record["seed"] for record in records})
    warning_changes = sum(len(codes) > 1 for codes in warned.values())
    lines = [f"{len(seen)} models × {seeds} seeds, of parameters and of checks:"]
    lines.append(f"{len(changing)} change their verdict, {'MISSED' if changing else 'met'}.")
    lines.append(f"{warning_changes} change a warning.")
    for name, verdicts in changing.items():
        told = "; ".join(f"{verdict} at seeds {seeds[:6]}" for verdict, seeds in verdicts.items())
        lines.append(f"  {name}: {told}")
    for name, codes in warned.items():
        if len(codes) > 1:
            lines.append(f"  {name} warns of {sorted(codes)}")
    return "\n".join(lines), not changing

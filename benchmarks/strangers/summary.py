"""The table of a run: what ran, what was judged without help, and which findings were right."""

from __future__ import annotations

import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from table import format_table

from strangers.case import Case
from strangers.judgement import Judgement
from strangers.sweep import find_loud

Record = dict[str, Any]
Judgements = Mapping[tuple[str, str], Judgement]

LEAST_JUDGED, MOST_FALSE, MOST_NOISY = 0.95, 0.01, 0.05
MEDIAN_S, SLOWEST_S, MOST_BYTES = 2.0, 20.0, 800e6


@dataclass(frozen=True)
class Counts:
    """Of records: how many are in each state, and which of their findings are held against us.

    Attributes:
        runs: names of the cases whose model can run at all.
        unhelped: of those, judged with no option given.
        false: with an error that was judged wrong or noise.
        noisy: with a warning that was judged wrong or noise.
        errored: with a check that crashed, or a run that did.
        unjudged: (case, code) of findings without a judgement.
    """

    runs: tuple[str, ...]
    unhelped: tuple[str, ...]
    judged: tuple[str, ...]
    false: tuple[str, ...]
    noisy: tuple[str, ...]
    errored: tuple[str, ...]
    unjudged: tuple[tuple[str, str], ...]


def count(records: Sequence[Record], cases: Mapping[str, Case], judgements: Judgements) -> Counts:
    """Count the records; a model that is marked broken or does not build is not among those that run."""
    runs = [r for r in records if r["state"] != "unbuilt" and not cases[r["name"]].broken]
    judged = [r for r in runs if r["state"] == "judged"]
    held: dict[str, set[str]] = {"error": set(), "warning": set()}
    unjudged = set()
    for record in judged:
        for finding in find_loud(record):
            judgement = judgements.get((record["name"], finding["code"]))
            if judgement is None:
                unjudged.add((record["name"], finding["code"]))
            elif judgement.ruling != "right":
                held[finding["severity"]].add(record["name"])
    return Counts(
        runs=_name(runs),
        unhelped=_name(r for r in judged if not r["helped"]),
        judged=_name(judged),
        false=tuple(sorted(held["error"])),
        noisy=tuple(sorted(held["warning"])),
        errored=_name(r for r in runs if r["state"] in {"crashed", "died"} or r.get("errored")),
        unjudged=tuple(sorted(unjudged)),
    )


def _name(records: Any) -> tuple[str, ...]:
    return tuple(record["name"] for record in records)


def summarize(
    records: Sequence[Record],
    cases: Mapping[str, Case],
    judgements: Judgements,
    uninstalled: Mapping[str, str],
) -> tuple[str, bool]:
    """The table, and whether every bar is met."""
    counts = count(records, cases, judgements)
    ran = [record for record in records if record["name"] in counts.runs]
    seconds = [r["cpu_seconds"] for r in ran if "cpu_seconds" in r] or [0.0]
    peaks = [r["peak_bytes"] for r in ran if "peak_bytes" in r] or [0]
    total, classes = max(len(counts.runs), 1), len({r["class"] for r in ran if "class" in r})
    unhelped = len(counts.unhelped)
    packages = len({cases[name].package for name in counts.runs})
    bars = [
        ("judged without help", f"{unhelped} of {total}", unhelped / total >= LEAST_JUDGED, "≥ 95%"),
        ("with a false error", str(len(counts.false)), len(counts.false) / total <= MOST_FALSE, "≤ 1%"),
        ("with a noise warning", str(len(counts.noisy)), len(counts.noisy) / total <= MOST_NOISY, "≤ 5%"),
        ("with a check that crashed", str(len(counts.errored)), not counts.errored, "0"),
        ("median CPU seconds", f"{statistics.median(seconds):.2f}", statistics.median(seconds) <= MEDIAN_S, "≤ 2"),
        ("slowest CPU seconds", f"{max(seconds):.2f}", max(seconds) <= SLOWEST_S, "≤ 20"),
        ("peak memory, MB", f"{max(peaks) / 1e6:.0f}", max(peaks) <= MOST_BYTES, "≤ 800"),
        ("findings without a judgement", str(len(counts.unjudged)), not counts.unjudged, "0"),
    ]  # fmt: skip
    rows = [[name, value, bar, "met" if met else "MISSED"] for name, value, met, bar in bars]
    lines = [
        (
            f"{len(records)} cases; {total} run at all, of {classes} classes in {packages} packages; "
            f"{len(counts.judged)} judged, {len(counts.judged) - unhelped} of them with options."
        ),
        format_table(["", "found", "bar", ""], rows),
        *_tell_findings(ran, judgements),
        *_tell_rest(records, cases, counts),
        *(f"Not installed: {pin}: {why}" for pin, why in sorted(uninstalled.items())),
    ]
    return "\n".join(lines), all(met for _, _, met, _ in bars)


def _tell_findings(records: Sequence[Record], judgements: Judgements) -> list[str]:
    lines = ["Every error and warning:"]
    for record in records:
        for severity, code in sorted({(f["severity"], f["code"]) for f in find_loud(record)}):
            judgement = judgements.get((record["name"], code))
            told = f"{judgement.ruling}: {judgement.why} ({judgement.at})" if judgement else "NOT JUDGED"
            lines.append(f"{record['name']:28} {severity} {code}  {told}")
    return lines


def _tell_rest(records: Sequence[Record], cases: Mapping[str, Case], counts: Counts) -> list[str]:
    lines = []
    for record in records:
        name = record["name"]
        if record["state"] == "judged":
            if record["helped"]:
                lines.append(f"Helped: {name}: {', '.join(record['helped'])}")
            lines += [f"Errored: {name}: {code}: {why}"[:200] for code, why in record["errored"].items()]
        else:
            first = cases[name].broken or record["why"].splitlines()[0]
            word = record["state"] if name in counts.runs else "does not run here"
            lines.append(f"{word.capitalize()}: {name}: {first}"[:200])
    peak = max(records, key=lambda r: r.get("peak_bytes", 0))
    slowest = max(records, key=lambda r: r.get("cpu_seconds", 0))
    return [*lines, f"Slowest: {slowest['name']}. Most memory: {peak['name']}."]

"""The table: how many headlines and replaced packages are right, and why the others are not."""

from __future__ import annotations

import statistics
from collections.abc import Mapping, Sequence

from table import format_table

from public_notebooks.compare import Comparison
from public_notebooks.explanation import Explanation

LEAST_NOTEBOOKS, LEAST_FIELDS, LEAST_RIGHT = 60, 12, 0.97


def summarize(
    comparisons: Sequence[Comparison],
    crashed: Mapping[str, str],
    explanations: Mapping[str, Explanation],
    asked: str,
    undecided: Sequence[str] = (),
) -> tuple[str, bool]:
    """Give the table, and whether every bar is met.

    Where both answers are valid (pip and uv search in another order), the explanation says so and the notebook counts
    as right in the second row of each pair; the first counts equality alone.
    """
    total = max(len(comparisons) + len(crashed), 1)
    fields = {each.notebook.field for each in comparisons}
    excused = {name for name, each in explanations.items() if each.fault != "preflight"}
    equal = sum(each.is_headline_right for each in comparisons)
    right = sum(each.is_headline_right or each.notebook.name in excused for each in comparisons)
    same = sum(each.is_replaced_right for each in comparisons)
    named = sum(each.is_replaced_right or each.notebook.name in excused for each in comparisons)
    agreed = sum(each.agreed for each in comparisons)
    missed = sum(len(each.missed) for each in comparisons)
    invented = sum(len(each.invented) for each in comparisons)
    silent = [each for each in comparisons if each.silent]
    differing = [each for each in comparisons if not (each.is_headline_right and each.is_replaced_right)]
    unexplained = [each for each in differing if each.notebook.name not in explanations]
    seconds = sorted(each.seconds for each in comparisons) or [0.0]
    bars = [
        ("notebooks", str(len(comparisons)), f"≥ {LEAST_NOTEBOOKS}", len(comparisons) >= LEAST_NOTEBOOKS),
        ("fields", str(len(fields)), f"≥ {LEAST_FIELDS}", len(fields) >= LEAST_FIELDS),
        ("headline equal", f"{equal / total:.1%}", "", True),
        ("headline right", f"{right / total:.1%}", "≥ 97%", right / total >= LEAST_RIGHT),
        ("notebooks whose replaced packages are the same", f"{same / total:.1%}", "", True),
        ("notebooks whose replaced packages are right", f"{named / total:.1%}", "≥ 97%", named / total >= LEAST_RIGHT),
        ("silent on a gap", str(len(silent)), "0", not silent),
        ("crashed", str(len(crashed)), "0", not crashed),
        ("disagreements without an explanation", str(len(unexplained)), "0", not unexplained),
    ]  # fmt: skip
    rows = [
        [name, value, bar, "" if not bar else "met" if met else "MISSED"] for name, value, bar, met in bars
    ]
    lines = [
        f"pip was asked on {asked}. Of {agreed + missed} packages that pip replaces, {agreed} were named.",
        f"{invented} packages that it does not replace were named as well.",
        f"An answer took {statistics.median(seconds):.0f} s in the median, {seconds[-1]:.0f} s at most.",
        format_table(["", "found", "bar", ""], rows),
        *_tell_classes(comparisons),
        *(f"Left out, pip found no answer in three minutes: {name}" for name in sorted(undecided)),
        *(f"Crashed: {name}: {why}" for name, why in sorted(crashed.items())),
        *(["Where they differ:"] if differing else []),
    ]
    for each in differing:
        told = explanations.get(each.notebook.name)
        lines.append(f"- {each.notebook.name}: {_describe(each)}")
        why = " ".join(told.why.split()) if told else ""
        lines.append(f"  {told.fault}: {why}" if told else "  NOT EXPLAINED")
    return "\n".join(lines), all(met for *_, met in bars)


def _tell_classes(comparisons: Sequence[Comparison]) -> list[str]:
    classes = ("satisfied", "additive", "replaces", "infeasible", "unknown")
    rows = [
        [
            true,
            *(
                str(sum(each.true == true and each.foreseen == said for each in comparisons))
                for said in classes
            ),
        ]
        for true in classes
    ]
    return ["Headlines, true by row and foreseen by column:", format_table(("", *classes), rows)]


def _describe(each: Comparison) -> str:
    parts = []
    if not each.is_headline_right:
        parts.append(f"{each.foreseen}, where it is {each.true}")
    if each.missed:
        parts.append(f"pip also replaces {', '.join(each.missed)}")
    if each.invented:
        parts.append(f"pip does not replace {', '.join(each.invented)}")
    return "; ".join(parts)

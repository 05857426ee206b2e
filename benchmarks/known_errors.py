"""Hold the records of a sweep over healthy models against the errors that are known and explained."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass

from zoo_sweep import Record, find_codes


@dataclass(frozen=True)
class Comparison:
    """What a sweep shows beyond what is known.

    Attributes:
        models: how many were swept.
        unjudged: how many have no report.
        refused: names of those that were expected to be refused, and were.
        new_errors: how many errors are not explained.
        warned: how many models have a warning.
        problems: a line for each new error, missing report and crashed check.
    """

    models: int
    unjudged: int
    refused: tuple[str, ...]
    new_errors: int
    warned: int
    problems: tuple[str, ...]

    def describe(self) -> str:
        """The counts in words."""
        judged = self.models - self.unjudged
        return f"{judged} judged, {self.new_errors} new errors, {self.warned} with a warning"


def compare_with_known(
    records: Sequence[Record], explained: Collection[tuple[str, str]], refused: Collection[str]
) -> Comparison:
    """Compare records with what is explained.

    Args:
        explained: pairs of a model's name and an error's code.
        refused: names of models that may have no report.
    """
    new = [
        f"New error: {record['name']}: {code}"
        for record in records
        for code in find_codes(record, "error")
        if (record["name"], code) not in explained
    ]
    unjudged = {r["name"]: str(r["failure"])[:200] for r in records if "failure" in r}
    failed = [f"No report: {name}: {why}" for name, why in unjudged.items() if name not in refused]
    errored = [f"A check crashed: {r['name']}: {code}" for r in records for code in r.get("errored", ())]
    return Comparison(
        models=len(records),
        unjudged=len(unjudged),
        refused=tuple(sorted(set(unjudged) & set(refused))),
        new_errors=len(new),
        warned=sum(bool(find_codes(record, "warning")) for record in records),
        problems=(*new, *failed, *errored),
    )

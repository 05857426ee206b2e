"""Read T2-ADVERSARIAL's measurements back from a report, as far as a figure needs them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from tierproof.analysis.adversarial.adversarial_figures import ModelAdversarial
from tierproof.analysis.intervals.interval import Interval
from tierproof.checks.measurements.read_interval import read_interval
from tierproof.checks.measurements.read_value import read_amount, read_count, read_records
from tierproof.core.json_value import JsonValue

Curve = tuple[tuple[float, float], ...]


@dataclass(frozen=True, slots=True)
class SearchCurve:
    """One search: the share of rows turned in the end, against passes and against tokens changed."""

    name: str
    turned: Interval
    by_passes: Curve
    by_tokens: Curve


@dataclass(frozen=True, slots=True)
class AdversarialCurves:
    """The searches, and how many forward passes each had for a row."""

    searches: tuple[SearchCurve, ...]
    budget: int

    @classmethod
    def of(cls, measured: ModelAdversarial) -> AdversarialCurves:
        """What is drawn of a measurement."""
        return cls(
            tuple(
                SearchCurve(each.name, each.turned, each.by_passes, each.by_tokens)
                for each in measured.searches
            ),
            measured.budget,
        )

    @classmethod
    def from_document(cls, document: Mapping[str, JsonValue]) -> AdversarialCurves:
        """Read what `ModelAdversarial.to_dict` wrote; a search without a share is left out."""
        return cls(
            tuple(
                SearchCurve(
                    str(record.get("name", "")),
                    turned,
                    _read_curve(record.get("by_passes")),
                    _read_curve(record.get("by_tokens")),
                )
                for record in read_records(document.get("searches"))
                if (turned := read_interval(record.get("turned"))) is not None
            ),
            read_count(document.get("budget_passes")) or 0,
        )


def _read_curve(value: JsonValue) -> Curve:
    if isinstance(value, str | Mapping) or not isinstance(value, Sequence):
        return ()
    points = []
    for item in value:
        if isinstance(item, str | Mapping) or not isinstance(item, Sequence) or len(item) != 2:
            continue
        price, share = read_amount(item[0]), read_amount(item[1])
        if price is not None and share is not None:
            points.append((price, min(share, 1.0)))
    return tuple(sorted(points))

"""T2-ATTRIBUTION's measurements, read back from a report."""

from __future__ import annotations

import math
from collections.abc import Mapping

from tierproof.analysis.attribution.attribution_figures import (
    ExampleAttribution,
    ModelAttribution,
    PartScores,
)
from tierproof.checks.measurements.read_value import read_count, read_number, read_records
from tierproof.core.json_value import JsonValue


def read_attributions(document: Mapping[str, JsonValue]) -> ModelAttribution:
    """Read what `ModelAttribution.to_dict` wrote, as far as a figure needs it; what is misshapen is left out."""
    return ModelAttribution(
        str(document.get("model", "")),
        str(document.get("inputs", "")),
        tuple(_read_example(record) for record in read_records(document.get("examples"))),
    )


def _read_example(record: Mapping[str, JsonValue]) -> ExampleAttribution:
    return ExampleAttribution(
        number=read_count(record.get("number")) or 0,
        target=str(record.get("target", "")),
        baseline=str(record.get("baseline", "")),
        score=_read_float(record.get("score")),
        baseline_score=_read_float(record.get("baseline_score")),
        parts=tuple(_read_part(part) for part in read_records(record.get("parts"))),
    )


def _read_part(record: Mapping[str, JsonValue]) -> PartScores:
    pieces = tuple(str(each) for each in _read_list(record.get("pieces")))
    grid = tuple(size for each in _read_list(record.get("grid")) if (size := read_count(each)))
    fits = len(grid) == 3 and math.prod(grid) == len(pieces)
    given = record.get("scores")
    scores = {
        str(method): tuple(_read_float(each) for each in _read_list(values))
        for method, values in (given.items() if isinstance(given, Mapping) else ())
    }
    return PartScores(
        name=str(record.get("name", "")),
        kind=str(record.get("kind", "")),
        pieces=pieces,
        kept=(True,) * len(pieces),
        grid=grid if fits else (),
        scores={method: values for method, values in scores.items() if len(values) == len(pieces)},
    )


def _read_list(value: JsonValue) -> list[JsonValue]:
    return list(value) if isinstance(value, list | tuple) else []


def _read_float(value: JsonValue) -> float:
    number = read_number(value)
    return math.nan if number is None else number

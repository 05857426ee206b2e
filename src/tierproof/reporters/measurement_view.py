"""The measurements of one check, laid out: single values and tables."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from tierproof.core.json_value import JsonValue
from tierproof.reporters.quantity import format_value, name_of, unit_of

_FEWEST_ROWS = 2


@dataclass(frozen=True, slots=True)
class Table:
    """A table of texts; `omitted` rows were left out."""

    title: str
    headers: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    omitted: int = 0


@dataclass(frozen=True, slots=True)
class MeasurementView:
    """Single values as (name, text), then tables."""

    values: tuple[tuple[str, str], ...]
    tables: tuple[Table, ...]


def lay_out_measurements(measurements: Mapping[str, JsonValue], *, most_rows: int = 200) -> MeasurementView:
    """Split measurements: lists of records and mappings become tables, everything else one line of text."""
    values: list[tuple[str, str]] = []
    tables: list[Table] = []
    for name, value in measurements.items():
        records = _read_records(value)
        if records:
            tables.append(_tabulate(name, records, most_rows))
        elif isinstance(value, Mapping) and len(value) >= _FEWEST_ROWS:
            tables.append(_tabulate_mapping(name, value, most_rows))
        else:
            values.append((name_of(name), _format_short(name, value)))
    return MeasurementView(tuple(values), tuple(tables))


def list_single_values(measurements: Mapping[str, JsonValue]) -> tuple[tuple[str, str], ...]:
    """Only the measurements that are one value, as (name, text)."""
    return tuple(
        (name_of(name), format_value(name, value))
        for name, value in measurements.items()
        if value is None or isinstance(value, bool | int | float | str)
    )


def lay_out_evidence(evidence: Mapping[str, JsonValue]) -> tuple[tuple[str, str], ...]:
    """The evidence of a finding as (name, text)."""
    return tuple((name_of(name), _format_short(name, value)) for name, value in evidence.items())


def _read_records(value: JsonValue) -> list[Mapping[str, JsonValue]]:
    if isinstance(value, str | Mapping) or not isinstance(value, Sequence) or not value:
        return []
    records = [item for item in value if isinstance(item, Mapping)]
    return records if len(records) == len(value) else []


def _tabulate(name: str, records: Sequence[Mapping[str, JsonValue]], most_rows: int) -> Table:
    columns = list(dict.fromkeys(key for record in records for key in record))
    unit = unit_of(name)
    rows = tuple(
        tuple(format_value(key, record[key], unit=unit) if key in record else "" for key in columns)
        for record in records[:most_rows]
    )
    headers = tuple(name_of(key) for key in columns)
    return Table(name_of(name), headers, rows, max(0, len(records) - most_rows))


def _tabulate_mapping(name: str, mapping: Mapping[str, JsonValue], most_rows: int) -> Table:
    unit = unit_of(name)
    items = list(mapping.items())
    rows = tuple((name_of(key), format_value(key, item, unit=unit)) for key, item in items[:most_rows])
    return Table(name_of(name), ("", "value"), rows, max(0, len(items) - most_rows))


def _format_short(name: str, value: JsonValue) -> str:
    """Describe a long list of numbers or a matrix in place of printing it."""
    if isinstance(value, str | Mapping) or not isinstance(value, Sequence) or len(value) <= 8:
        if isinstance(value, list | tuple) and _is_matrix(value):
            return _describe_matrix(value)
        return format_value(name, value)
    if _is_matrix(value):
        return _describe_matrix(value)
    numbers = [item for item in value if isinstance(item, int | float) and not isinstance(item, bool)]
    if len(numbers) == len(value):
        return _describe_numbers(name, numbers)
    return format_value(name, value)


def _describe_numbers(name: str, numbers: Sequence[int | float]) -> str:
    finite = [number for number in numbers if isinstance(number, int) or math.isfinite(number)]
    text = f"{len(numbers)} values"
    if finite:
        text += f", {format_value(name, min(finite))} to {format_value(name, max(finite))}"
    others = len(numbers) - len(finite)
    return f"{text}, {others} non-finite" if others else text


def _is_matrix(value: Sequence[JsonValue]) -> bool:
    return bool(value) and all(isinstance(row, list | tuple) for row in value) and len(value) > 2


def _describe_matrix(value: Sequence[JsonValue]) -> str:
    widths = {len(row) for row in value if isinstance(row, list | tuple)}
    return f"{len(value)} × {widths.pop()} matrix" if len(widths) == 1 else f"{len(value)} rows"

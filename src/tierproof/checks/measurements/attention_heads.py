"""T2-ATTENTION's measurements, read back from a report."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import fields
from typing import Any

from tierproof.analysis.attention.attention_figures import (
    HeadStatistics,
    ModelAttention,
    PatternStatistics,
)
from tierproof.checks.measurements.read_value import read_count, read_number, read_records
from tierproof.core.json_value import JsonValue

_REQUIRED = ("entropy_nats", "relative_entropy", "largest", "first")


def read_attention(document: Mapping[str, JsonValue]) -> ModelAttention:
    """Read what `ModelAttention.to_dict` wrote, but for the agreement of heads; what is misshapen is left out."""
    unread = document.get("unread")
    return ModelAttention(
        model=str(document.get("model", "")),
        inputs=str(document.get("inputs", "")),
        period=read_count(document.get("period")),
        patterns=tuple(
            pattern
            for record in read_records(document.get("patterns"))
            if (pattern := _read_pattern(record)).heads
        ),
        unread=tuple(str(each) for each in unread) if isinstance(unread, list | tuple) else (),
    )


def _read_pattern(record: Mapping[str, JsonValue]) -> PatternStatistics:
    return PatternStatistics(
        path=str(record.get("path", "")),
        kind=str(record.get("kind", "")),
        queries=read_count(record.get("queries")) or 0,
        keys=read_count(record.get("keys")) or 0,
        heads=tuple(_read_head(each) for each in read_records(record.get("heads"))),
        agreement=(),
        sum_error=0.0,
        occurrence=read_count(record.get("occurrence")) or 0,
    )


def _read_head(record: Mapping[str, JsonValue]) -> HeadStatistics:
    numbers: dict[str, Any] = {
        each.name: read_number(record.get(each.name)) for each in fields(HeadStatistics)
    }
    known = {name: number for name, number in numbers.items() if number is not None and name != "nearest"}
    return HeadStatistics(
        **{**dict.fromkeys(_REQUIRED, math.nan), **known}, nearest=read_count(record.get("nearest"))
    )

"""All maps side by side in one grey picture, which says itself where each head is."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import asdict

from tierproof.analysis.attention.attention_maps import AttentionMaps, PatternMaps
from tierproof.core.artifact import Artifact
from tierproof.core.json_value import JsonValue, to_json_value
from tierproof.core.png import write_grey_png

KEYWORD = "tierproof"
ARTIFACT_NAME = "attention_maps"
_MOST_ACROSS = 16
_GAP = 2
_GAP_VALUE = b"\x60"


def draw_sprite(maps: AttentionMaps) -> bytes:
    """A PNG with a line of maps for each rollout and operation, or several lines where it has more than 16 heads.

    White is a weight of 1, black 0, in steps of the square root. Under the keyword `tierproof` the file tells what
    `describe_maps` gives.
    """
    lines = list(_iterate_lines(maps))
    across, width, height = _measure_cells(maps, lines)
    rows: list[bytes] = []
    for pattern, places in lines:
        if rows:
            rows += [_GAP_VALUE * _find_width(across, width)] * _GAP
        rows += _draw_line(pattern, places, across, width, height)
    text = json.dumps(describe_maps(maps), separators=(",", ":"), allow_nan=False)
    return write_grey_png(rows or [b"\0"], keyword=KEYWORD, text=text)


def make_artifact(maps: AttentionMaps) -> Artifact:
    """The picture as a file beside a report."""
    return Artifact(ARTIFACT_NAME, ".png", draw_sprite(maps))


def describe_maps(maps: AttentionMaps) -> dict[str, JsonValue]:
    """Everything but the maps themselves: operations, sequences, the error, and where each map is in the picture.

    `tiles` are x and y in pixels of the upper left corner, `lines` the operation and the heads of each line.
    """
    lines = list(_iterate_lines(maps))
    across, width, height = _measure_cells(maps, lines)
    shown = [*maps.rollouts, *maps.patterns]
    tiles: dict[int, list[JsonValue]] = {id(pattern): [] for pattern in shown}
    for line, (pattern, places) in enumerate(lines):
        tiles[id(pattern)] += [
            [number * (width + _GAP), line * (height + _GAP)] for number in range(len(places))
        ]
    # Rollouts count from −1 downwards.
    numbers = {id(pattern): number for number, pattern in enumerate(maps.patterns)}
    numbers |= {id(pattern): -1 - number for number, pattern in enumerate(maps.rollouts)}
    return {
        "format_version": 1,
        "inputs": maps.inputs,
        "largest_error": maps.largest_error,
        "beyond": maps.beyond,
        "budget_bytes": maps.budget_bytes,
        "missed": list(maps.missed),
        "sequences": [to_json_value(asdict(each)) for each in maps.sequences],
        "patterns": [_describe_pattern(each, tiles[id(each)]) for each in maps.patterns],
        "rollouts": [_describe_pattern(each, tiles[id(each)]) for each in maps.rollouts],
        "alike": to_json_value(maps.alike),
        "across": across,
        "lines": [
            [numbers[id(pattern)], [pattern.heads[place] for place in places]] for pattern, places in lines
        ],
    }


def _describe_pattern(pattern: PatternMaps, tiles: list[JsonValue]) -> dict[str, JsonValue]:
    kept = {name: value for name, value in vars(pattern).items() if name != "values"}
    return {**{name: to_json_value(value) for name, value in kept.items()}, "tiles": tiles}


def _iterate_lines(maps: AttentionMaps) -> Iterator[tuple[PatternMaps, range]]:
    """Each line of the picture: its operation, and which of the kept heads stand in it."""
    for pattern in (*maps.rollouts, *maps.patterns):
        count = len(pattern.heads)
        for start in range(0, count, _MOST_ACROSS):
            yield pattern, range(start, min(start + _MOST_ACROSS, count))


def _measure_cells(maps: AttentionMaps, lines: list[tuple[PatternMaps, range]]) -> tuple[int, int, int]:
    """How many cells stand side by side, and their width and height: those of the largest map."""
    kept = [pattern for pattern in (*maps.rollouts, *maps.patterns) if pattern.heads]
    return (
        max((len(places) for _, places in lines), default=1),
        max((pattern.columns for pattern in kept), default=1),
        max((pattern.rows for pattern in kept), default=1),
    )


def _find_width(across: int, width: int) -> int:
    return across * (width + _GAP) - _GAP


def _draw_line(pattern: PatternMaps, places: range, across: int, width: int, height: int) -> Iterator[bytes]:
    columns, empty = pattern.columns, _GAP_VALUE * width
    rest = [empty] * (across - len(places))
    for row in range(height):
        if row >= pattern.rows:
            yield _GAP_VALUE * _find_width(across, width)
            continue
        part = slice(row * columns, (row + 1) * columns)
        cells = [pattern.values[place][part].ljust(width, _GAP_VALUE) for place in places]
        yield (_GAP_VALUE * _GAP).join([*cells, *rest])

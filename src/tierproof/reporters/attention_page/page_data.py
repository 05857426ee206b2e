"""What the script of the attention page reads: the heads in words, and where their maps are in the picture."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from tierproof.analysis.attention.head_role import find_role
from tierproof.core import plain_text
from tierproof.plots.head_role_colours import ROLE_COLOURS
from tierproof.reporters.attention_grid import describe_head
from tierproof.reporters.clean_text import clean_text

if TYPE_CHECKING:
    from tierproof.analysis.attention.attention_figures import HeadStatistics, ModelAttention

HeadMarks = Mapping[tuple[str, int], str]
"""What was found about a head, by the module's path and the head's number."""

_SIGNS = {" ": "␣", "\n": "⏎", "\r": "⏎", "\t": "⇥"}
_LONGEST_PIECE = 40
_NAMED = 3
_GREY = (138, 143, 152)


@dataclass(frozen=True)
class ShownPattern:
    """One operation on the page: its name, its heads, and where their maps are.

    Attributes:
        name: the module, numbered where a module computes several.
        short: the same without what the names of all operations have in common.
        path: of the module.
        heads: the figures of each; of a rollout, the layers in words.
        maps: what the picture tells of the operation; None where it has no map of it.
        unit: what each of the heads is.
    """

    name: str
    short: str
    path: str
    heads: Sequence[HeadStatistics | str]
    maps: Mapping[str, Any] | None
    unit: str = "head"


def pair_patterns(measured: ModelAttention, described: Mapping[str, Any]) -> list[ShownPattern]:
    """The operations in order, each with its maps."""
    paths = [pattern.path for pattern in measured.patterns]
    shown = []
    for place, pattern in enumerate(measured.patterns):
        number = paths[:place].count(pattern.path)
        mapped = [each for each in described["patterns"] if each["path"] == pattern.path]
        found = mapped[number] if number < len(mapped) else None
        if found is not None and found["head_count"] != len(pattern.heads):
            found = None
        name = pattern.path or "model"
        if paths.count(pattern.path) > 1:
            name = f"{name} ({number + 1})"
        shown.append(ShownPattern(clean_text(name), "", pattern.path, pattern.heads, found))
    short = shorten_names([pattern.name for pattern in shown])
    return [replace(pattern, short=name) for pattern, name in zip(shown, short, strict=True)]


def name_alike(patterns: Sequence[ShownPattern], described: Mapping[str, Any]) -> dict[tuple[str, int], str]:
    """For each head of a cluster, by the name of its operation and its number, the others in words."""
    shown = {id(pattern.maps): pattern for pattern in patterns}
    listed = [shown.get(id(each)) for each in described["patterns"]]
    told: dict[tuple[str, int], str] = {}
    for cluster in described.get("alike", ()):
        members = [(listed[place], head) for place, head in cluster]
        for at, (pattern, head) in enumerate(members):
            rest = [
                (other, number) for other, number in members[:at] + members[at + 1 :] if other is not None
            ]
            if pattern is None or not rest:
                continue
            named = ", ".join(f"{other.short or other.name} head {number}" for other, number in rest[:_NAMED])
            more = f" and {len(rest) - _NAMED} more" if len(rest) > _NAMED else ""
            told[pattern.name, head] = f"its map is like that of {named}{more}"
    return told


def list_rollouts(described: Mapping[str, Any]) -> list[ShownPattern]:
    """The rollouts of the picture, as operations whose heads are layers."""
    found = described.get("rollouts", ())
    shown = []
    for each in found:
        name = f"rollout, {each['queries']} positions" if len(found) > 1 else "rollout"
        words = [
            f"layer {layer}: what reaches each position through the attention up to here"
            for layer in each["heads"]
        ]
        shown.append(ShownPattern(name, name, "", words, each, "layer"))
    return shown


def shorten_names(names: Sequence[str]) -> list[str]:
    """Drop the parts with which all names begin and end; a lone number keeps the word before it."""
    parts = [name.split(".") for name in names]
    shortest = min(map(len, parts), default=0)
    same = [len({tuple(each[:count]) for each in parts}) == 1 for count in range(1, shortest)]
    head = same.index(False) if False in same else len(same)
    same = [len({tuple(each[-count:]) for each in parts}) == 1 for count in range(1, shortest - head)]
    tail = same.index(False) if False in same else len(same)
    kept = [each[head : len(each) - tail] for each in parts]
    if head and len(names) > 1:
        kept = [[parts[0][head - 1], *each] if each[0].isdigit() else each for each in kept]
    return [".".join(each) for each in kept] if len(names) > 1 else list(names)


def write_page_data(patterns: Sequence[ShownPattern], described: Mapping[str, Any], marks: HeadMarks) -> str:
    """The data as JSON that may stand in a `<script>` element: plain ASCII without `<`, `>` and `&`."""
    alike = name_alike(patterns, described)
    data = {
        "sequences": [_show_sequence(each) for each in described["sequences"]],
        "ops": [_show_pattern(pattern, marks, alike) for pattern in patterns],
    }
    text = json.dumps(data, separators=(",", ":"), allow_nan=False)
    for sign in "<>&":
        text = text.replace(sign, f"\\u{ord(sign):04x}")
    return text


def show_piece(piece: str) -> str:
    """A token as a short text that is seen: white space alone and line ends get a sign."""
    piece = piece if piece.strip(" ") else piece.replace(" ", _SIGNS[" "])
    for sign in "\n\r\t":
        piece = piece.replace(sign, _SIGNS[sign])
    piece = plain_text.clean_text(piece)
    return piece if len(piece) <= _LONGEST_PIECE else f"{piece[:_LONGEST_PIECE]}…"


def mix_colour(role: str, weight: float) -> list[int]:
    """Red, green and blue of a head's map: the colour of its role, greyer the less weight is there."""
    share = min(1.0, 2 * weight) if weight > 0 else 0.0  # 0 for NaN
    full = [int(ROLE_COLOURS[role][at : at + 2], 16) for at in (1, 3, 5)]
    return [round(grey + (value - grey) * share) for grey, value in zip(_GREY, full, strict=True)]


def _show_sequence(sequence: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "pieces": [show_piece(piece) for piece in sequence["pieces"]],
        "grid": sequence["grid"],
        "extra": sequence["extra"],
    }


def _show_pattern(
    pattern: ShownPattern, marks: HeadMarks, alike: Mapping[tuple[str, int], str]
) -> dict[str, Any]:
    maps = pattern.maps or {}
    tiles = dict(zip(maps.get("heads", ()), maps.get("tiles", ()), strict=True))
    shown: dict[str, Any] = {"path": pattern.name, "short": pattern.short, "unit": pattern.unit, "heads": []}
    if maps:
        names = ("queries", "keys", "query_step", "key_step", "causal", "query_labels", "key_labels")
        shown |= {name: maps[name] for name in names}
        shown["rows"] = -(-maps["queries"] // maps["query_step"])
        shown["columns"] = -(-maps["keys"] // maps["key_step"])
    for number, head in enumerate(pattern.heads):
        if isinstance(head, str):
            one: dict[str, Any] = {"colour": _GREY, "words": head}
        else:
            words = [describe_head(number, head), alike.get((pattern.name, number), "")]
            one = {"colour": mix_colour(*find_role(head)), "words": "; ".join(filter(None, words))}
        if number in tiles:
            one["tile"] = tiles[number]
        if pattern.unit == "head" and (pattern.path, number) in marks:
            one["finding"] = clean_text(marks[pattern.path, number])
        shown["heads"].append(one)
    return shown

"""Render the attention page: a section for a report or a notebook, and a page of its own."""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Mapping
from functools import cache
from importlib import resources
from typing import TYPE_CHECKING, Any

from tierproof.analysis.attention.attention_maps_sprite import KEYWORD
from tierproof.analysis.attention.head_role import ROLES
from tierproof.core.plain_html import escape_html
from tierproof.core.png import drop_png_text, read_png_text
from tierproof.plots.head_role_colours import ROLE_COLOURS
from tierproof.reporters.attention_grid import render_attention_grid
from tierproof.reporters.attention_page.page_data import (
    HeadMarks,
    ShownPattern,
    list_rollouts,
    pair_patterns,
    write_page_data,
)

if TYPE_CHECKING:
    from tierproof.analysis.attention.attention_figures import ModelAttention

_NO_MARKS: HeadMarks = {}
_NAMED = 4
_HELP = "Click a head, or press Enter on it, to open it; the arrow keys move between heads, Escape closes."
_ROLLOUT = (
    "Rollout: what reaches each position through the attention of all layers so far, heads averaged, with the residual "
    "connection (Abnar & Zuidema 2020)."
)
_INK = (
    "The border and the ink of a map show what the head looks at most, greyer the less weight is there; the more ink "
    "a cell has, the larger its weight."
)


def render_attention_section(
    measured: ModelAttention, sprite: bytes, marks: HeadMarks = _NO_MARKS, *, titled: bool = True
) -> str:
    """The heads as a part of a page, with style and script inside; several may stand on one page.

    Args:
        measured: the figures of the heads.
        sprite: the picture of `analysis.attention.attention_maps_sprite`, which describes itself.
        marks: what was found about single heads.
        titled: whether the section begins with the model's name.
    """
    described = _read_sprite(sprite)
    patterns = pair_patterns(measured, described)
    if not any(pattern.maps and pattern.maps["heads"] for pattern in patterns):
        return render_attention_grid(measured)
    shown = [*list_rollouts(described), *patterns]
    heads = sum(len(pattern.heads) for pattern in patterns)
    title = f"{measured.model}: {_count(len(patterns), 'attention operation')}, {_count(heads, 'head')}"
    picture = base64.b64encode(drop_png_text(sprite)).decode("ascii")
    parts = [
        '<section class="tp-att" data-lm-suppress-shortcuts="true">',
        f"<style>{_read_text('attention_page.css')}</style>",
        f'<p class="tp-att-title">{escape_html(title)}</p>' if titled else "",
        *(f'<p class="tp-att-soft">{escape_html(line)}</p>' for line in _tell(measured, described, patterns)),
        _render_legend(marks),
        f'<p class="tp-att-help tp-att-soft" hidden>{_HELP}</p>',
        f'<div class="tp-att-body"><div class="tp-att-heads">{_render_static(shown, described, picture)}</div>',
        '<div class="tp-att-one" role="region" hidden></div></div>',
        '<details class="tp-att-all"><summary>The figures of all heads as a table</summary>',
        f"{render_attention_grid(measured)}</details>",
        f'<script type="application/json" class="tp-att-data">{write_page_data(shown, described, marks)}</script>',
        f"<script>{read_script()}</script></section>",
    ]
    return "".join(parts)


def render_attention_page(measured: ModelAttention, sprite: bytes, marks: HeadMarks = _NO_MARKS) -> str:
    """The section as a page of its own, light or dark as the reader's system is."""
    policy = f"default-src 'none'; style-src 'unsafe-inline'; img-src data:; script-src {allow_script()}"
    return (
        '<!doctype html><html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f'<meta http-equiv="Content-Security-Policy" content="{policy}">'
        f"<title>Attention of {escape_html(measured.model)}</title>"
        "<style>:root{color-scheme:light dark}body{margin:0;padding:16px;background:#fff}"
        "@media screen and (prefers-color-scheme:dark){body{background:#1a1f27}}"
        "main{max-width:1240px;margin:0 auto}</style></head>"
        f"<body><main>{render_attention_section(measured, sprite, marks)}</main></body></html>\n"
    )


@cache
def read_script() -> str:
    """The one script of the page."""
    return _read_text("attention_page.js")


def allow_script() -> str:
    """The source of a Content-Security-Policy that lets this script run and no other."""
    digest = hashlib.sha256(read_script().encode()).digest()
    return f"'sha256-{base64.b64encode(digest).decode('ascii')}'"


@cache
def _read_text(name: str) -> str:
    return resources.files(__package__).joinpath(name).read_text(encoding="utf-8")


def _read_sprite(sprite: bytes) -> Mapping[str, Any]:
    text = read_png_text(sprite, KEYWORD)
    if text is None:
        raise ValueError("the picture of the attention maps does not describe itself")
    described: Mapping[str, Any] = json.loads(text)
    return described


def _tell(measured: ModelAttention, described: Mapping[str, Any], patterns: list[ShownPattern]) -> list[str]:
    """What the maps are of, how exact they are, and what is not among them."""
    error = f"the largest error is {described['largest_error']:.4f}."
    said = [
        f"Maps of {described['inputs']}. Each weight is kept as one byte, by its square root: {error}",
    ]
    maps = [pattern.maps for pattern in patterns if pattern.maps]
    steps = [max(each["query_step"], each["key_step"]) for each in maps if each["heads"]]
    if max(steps) > 1:
        said.append(
            f"{_count(sum(step > 1 for step in steps), 'operation')} of more than 256 positions: a cell stands for "
            f"up to {max(steps)} positions, with the sum over their keys and the mean over their queries."
        )
    if described["beyond"]:
        said.append(
            f"{_count(described['beyond'], 'weight')} were no number from 0 to 1; the nearest such number is shown, "
            "0 for NaN."
        )
    lacking = [
        f"{pattern.name}: {len(pattern.heads) - len(pattern.maps['heads'])} of {len(pattern.heads)}"
        for pattern in patterns
        if pattern.maps and len(pattern.maps["heads"]) < len(pattern.heads)
    ]
    if lacking:
        more = f"; and {len(lacking) - _NAMED} more operations" if len(lacking) > _NAMED else ""
        said.append(
            f"Maps of {_count(sum(len(each['heads']) for each in maps), 'head')} fit into the limit of "
            f"{described['budget_bytes'] / 2**20:.3g} MiB; those with the weakest role were left out ("
            f"{'; '.join(lacking[:_NAMED])}{more}). They stand below without a picture."
        )
    if described["missed"]:
        said.append(
            f"Not shown, as there are no figures of the same heads: {', '.join(described['missed'][:_NAMED])}."
        )
    if described.get("rollouts"):
        said.append(_ROLLOUT)
    return said + [f"Not read: {each}" for each in measured.unread]


def _render_legend(marks: HeadMarks) -> str:
    entries = [
        f'<li><i style="--role:{ROLE_COLOURS[role]}"></i>{escape_html(words)}</li>'
        for role, words in ROLES.items()
    ]
    if marks:
        entries.append('<li><i class="tp-att-found"></i>something was found</li>')
    return f'<p class="tp-att-soft">{_INK}</p><ul class="tp-att-legend">{"".join(entries)}</ul>'


def _render_static(patterns: list[ShownPattern], described: Mapping[str, Any], picture: str) -> str:
    """What is seen where scripts do not run: the picture, with the name of each line beside it."""
    names = {id(pattern.maps): (pattern.short, pattern.name) for pattern in patterns}
    listed = [*described["patterns"], *reversed(described.get("rollouts", ()))]
    # Rollouts are numbered from −1 downwards, as from the end of the list.
    named = [names.get(id(each), (each["path"], each["path"])) for each in listed]
    lines = described["lines"]
    rows = []
    for number, (place, heads) in enumerate(lines):
        whole = heads == list(range(len(heads))) and all(at != place for at, _ in lines[:number])
        some = "" if whole else f": {', '.join(map(str, heads))}"
        short, full = (escape_html(each + some) for each in named[place])
        cell = (
            f'<td rowspan="{len(lines)}"><img class="tp-att-sprite" alt="{escape_html(_describe_picture(lines))}" '
            f'src="data:image/png;base64,{picture}"></td>'
            if not number
            else ""
        )
        rows.append(f'<tr><th scope="row" title="{full}"><bdi>{short}</bdi></th>{cell}</tr>')
    return f'<table class="tp-att-static">{"".join(rows)}</table>'


def _describe_picture(lines: list[Any]) -> str:
    heads = sum(len(each) for place, each in lines if place >= 0)
    rollout = "first the rollout by layer, then " if any(place < 0 for place, _ in lines) else ""
    return f"{rollout}maps of {heads} heads, a line for each operation, head 0 at the left; queries down, keys across"


def _count(number: int, what: str) -> str:
    return f"{number} {what}{'' if number == 1 else 's'}"

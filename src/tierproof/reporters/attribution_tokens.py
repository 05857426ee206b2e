"""Show attribution scores: tokens with a coloured ground, cells of an image, a block for each example."""

from __future__ import annotations

import base64
import math
from typing import TYPE_CHECKING

from tierproof.core.plain_html import escape_html
from tierproof.plots.attribution_colours import (
    METHOD_NAMES,
    NEGATIVE,
    POSITIVE,
    find_colour,
    find_largest,
)

if TYPE_CHECKING:
    from tierproof.analysis.attribution.attribution_figures import (
        ExampleAttribution,
        ModelAttribution,
        PartScores,
    )

_MOST_EXAMPLES = 20
_CELL = 12
_LEAST_SIDE = 220
# How much of the picture the strongest score hides; the picture is pale, so that colour shows on its dark parts too.
_OVER_PICTURE = 0.75
_PALE = "grayscale(1) contrast(.45) brightness(1.35)"
_STYLE = (
    ".tp-attr{font-family:system-ui,sans-serif;line-height:1.5}"
    ".tp-attr section{margin:1em 0;padding-top:.6em;border-top:1px solid rgba(128,128,128,.4)}"
    ".tp-attr p{margin:.3em 0}"
    ".tp-attr .m{opacity:.75;font-size:.85em;margin-top:.5em}"
    ".tp-attr .t{display:inline-block;white-space:pre-wrap;padding:.05em .2em;margin:1px;border-radius:3px;"
    "border:1px solid rgba(128,128,128,.25);overflow-wrap:anywhere}"
    ".tp-attr .p{opacity:.45}"
    ".tp-attr svg,.tp-attr img{max-width:100%;height:auto}"
)


def render_attribution(measured: ModelAttribution) -> str:
    """The scores as a part of a page, without scripts and without anything from the network."""
    shown = measured.examples[:_MOST_EXAMPLES]
    body = "".join(map(_render_example, shown))
    notes = [f"Left out: {METHOD_NAMES.get(m, m)}. {why}" for m, why in measured.left_out.items()]
    notes += [f"Example {number} was skipped: {why}." for number, why in measured.skipped.items()]
    notes += [f"Not everything was computed; {measured.stopped}."] if measured.stopped else []
    more = len(measured.examples) - len(shown)
    notes += [f"{more} more examples are in `examples` and in `to_dict()`."] if more else []
    said = "".join(f"<p>{escape_html(note)}</p>" for note in notes)
    title = f"{measured.model}: which inputs decide the answer, on {measured.inputs}"
    head = f"<p>{escape_html(title)}. {_render_legend()}</p>"
    return f'<div class="tp-attr"><style>{_STYLE}</style>{head}{said}{body}</div>'


def render_attribution_page(measured: ModelAttribution) -> str:
    """The scores as a page of its own, light or dark as the reader's system is."""
    return (
        '<!doctype html><html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>Attribution of {escape_html(measured.model)}</title>"
        "<style>:root{color-scheme:light dark}body{margin:1.5em}</style></head>"
        f"<body><main>{render_attribution(measured)}</main></body></html>\n"
    )


def describe_path(example: ExampleAttribution) -> str:
    """How well integrated gradients converged, in words; empty where they were not computed."""
    path = example.path
    if path is None:
        return ""
    state = "converged" if path.converged else "not converged"
    return f"{state} at {path.steps} steps, the sum is off by {path.relative_delta:.1%}"


def _render_legend() -> str:
    samples = "".join(
        f'<span class="t" style="background:{colour}a0">{words}</span> '
        for colour, words in ((POSITIVE, "raises the score"), (NEGATIVE, "lowers it"))
    )
    return f"{samples}The stronger the colour, the more, within one line."


def _render_example(example: ExampleAttribution) -> str:
    head = f"Example {example.number}: {example.target}"
    ends = f"score {example.score:.4g}, at the baseline {example.baseline_score:.4g}; baseline: {example.baseline}"
    agreement = "; ".join(
        f"{' and '.join(METHOD_NAMES.get(m, m) for m in pair.split('~'))} {value:.2f}"
        for pair, value in example.agreement.items()
        if value is not None
    )
    foot = [f"Rank correlation (1: the same order, 0: no agreement): {agreement}."] if agreement else []
    foot += [f"{METHOD_NAMES.get(m, m)} left out: {why}." for m, why in example.left_out.items()]
    lines = "".join(
        _render_line(example, part, method)
        for part in example.parts
        for method in example.methods
        if part.scores.get(method)
    )
    feet = "".join(f'<p class="m">{escape_html(each)}</p>' for each in foot)
    told = f'<p><b>{escape_html(head)}</b></p><p class="m">{escape_html(ends)}</p>'
    return f"<section>{told}{_render_pictures(example)}{lines}{feet}</section>"


def _render_line(example: ExampleAttribution, part: PartScores, method: str) -> str:
    words = METHOD_NAMES.get(method, method)
    if len(example.parts) > 1:
        words += f", {part.name}"
    told = describe_path(example) if method == "integrated_gradients" else ""
    title = f'<p class="m">{escape_html(words)}{": " + escape_html(told) if told else ""}</p>'
    scores = part.scores[method]
    if part.grid:
        return title + _render_cells(part, scores)
    largest = find_largest(scores)
    tokens = "".join(
        _render_piece(piece, score, largest, kept=kept)
        for piece, score, kept in zip(part.pieces, scores, part.kept, strict=True)
    )
    return f"{title}<div>{tokens}</div>"


def _render_piece(piece: str, score: float, largest: float, *, kept: bool) -> str:
    colour, opacity = find_colour(score, largest)
    state = "t" if kept else "t p"
    said = f"{score:+.3g}" if math.isfinite(score) else "not finite"
    return (
        f'<span class="{state}" style="background:{colour}{round(255 * opacity):02x}" title="{said}">'
        f"{escape_html(piece)}</span>"
    )


def _render_cells(part: PartScores, scores: tuple[float, ...]) -> str:
    """The cells, over the picture itself where it is known."""
    _, rows, columns = part.grid
    largest = find_largest(scores)
    cells = []
    side = _measure_cell(part)
    strongest = _OVER_PICTURE if part.picture else 1.0
    for place, (piece, score) in enumerate(zip(part.pieces, scores, strict=True)):
        frame, cell = divmod(place, rows * columns)
        row, column = divmod(cell, columns)
        colour, opacity = find_colour(score, largest)
        left = (frame * (columns + 1) + column) * side
        cells.append(
            f'<rect x="{left}" y="{row * side}" width="{side}" height="{side}" fill="{colour}" '
            f'fill-opacity="{strongest * opacity:.2f}" stroke="gray" stroke-opacity=".25" stroke-width=".5">'
            f"<title>{escape_html(piece)}: {score:+.3g}</title></rect>"
        )
    width, height = _measure_grid(part)
    words = escape_html(f"Scores of {rows} × {columns} cells of {part.name}")
    return (
        f'<svg role="img" aria-label="{words}" width="{width}" height="{height}" viewBox="0 0 {width} {height}">'
        f"{_place_picture(part, width, height)}{''.join(cells)}</svg>"
    )


def _measure_cell(part: PartScores) -> int:
    """Side of a cell in pixels: a small image is shown large enough to be seen."""
    return max(_CELL, _LEAST_SIDE // max(part.grid[1:]))


def _measure_grid(part: PartScores) -> tuple[int, int]:
    """Width and height of the cells of all frames, with a gap of a cell between frames."""
    frames, rows, columns = part.grid
    side = _measure_cell(part)
    return (frames * (columns + 1) - 1) * side, rows * side


def _place_picture(part: PartScores, width: int, height: int) -> str:
    """The frames of an image in the places of their cells, grey, so that colour is a score."""
    if part.picture is None:
        return ""
    return (
        f'<image width="{width}" height="{height}" preserveAspectRatio="none" style="filter:{_PALE}" '
        f'href="{_embed(part.picture)}"/>'
    )


def _render_pictures(example: ExampleAttribution) -> str:
    """The images of an example as they are."""
    shown = []
    for part in example.parts:
        if part.picture is not None and part.grid:
            width, height = _measure_grid(part)
            alt = f"{part.name}, stretched from its darkest to its lightest value"
            size = f'width="{width}" height="{height}"'
            shown.append(
                f'<p class="m">{escape_html(alt)}</p><img {size} alt="" src="{_embed(part.picture)}">'
            )
    return "".join(shown)


def _embed(picture: bytes) -> str:
    return f"data:image/png;base64,{base64.b64encode(picture).decode('ascii')}"

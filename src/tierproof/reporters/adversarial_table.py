"""Show an adversarial search: its success curve, and the inputs that were found, with the new tokens marked."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tierproof.checks.measurements.adversarial_curves import AdversarialCurves
from tierproof.core.plain_html import escape_html
from tierproof.plots.adversarial_curves import draw_adversarial
from tierproof.reporters.analysis_frame import embed_figure, frame_analysis, page_analysis
from tierproof.reporters.robustness_table import write_interval

if TYPE_CHECKING:
    from tierproof.analysis.adversarial.adversarial_figures import (
        AttackedRow,
        ModelAdversarial,
        SearchFigures,
        SearchTrace,
    )

_MOST_ROWS = 20
_LONGEST_IDS = 48


def render_adversarial(measured: ModelAdversarial) -> str:
    """The searches as a part of a page, without scripts and without anything from the network."""
    figure = embed_figure(lambda: draw_adversarial(AdversarialCurves.of(measured)))
    body = f"<p>{escape_html(describe_adversarial(measured))}</p>{figure}{_render_searches(measured)}"
    return frame_analysis(_title(measured), body + _render_rows(measured))


def render_adversarial_page(measured: ModelAdversarial) -> str:
    """The searches as a page of their own."""
    return page_analysis(_title(measured), render_adversarial(measured))


def describe_adversarial(measured: ModelAdversarial) -> str:
    """In words: what was searched, with which budget."""
    whose = "the label" if measured.reference == "labels" else "the model's own"
    first = (
        f"Rows searched for tokens that turn the answer ({measured.answer}) away from {whose}: {len(measured.rows)}. "
        f"Each search had {measured.budget} forward passes for a row, a backward pass counting as two, and "
        f"could change {measured.most_tokens:.0%} of its tokens."
    )
    words = [first]
    if measured.round_trip:
        words.append("Only inputs were tried that the tokenizer decodes and encodes to themselves.")
    if measured.no_gradient:
        words.append(f"The gradient-based searches were not run: {measured.no_gradient}.")
    if measured.wrong:
        words.append(
            f"Rows left out, because they were answered wrongly before any change: {measured.wrong}."
        )
    if measured.not_searched:
        row, reason = measured.not_searched[0]
        words.append(f"Rows not searched: {len(measured.not_searched)}; of row {row}, {reason}.")
    if measured.assumed:
        words.append(f"Assumed: {measured.assumed}.")
    if not measured.complete:
        words.append("The time ended before every row was searched.")
    return " ".join(words)


def _title(measured: ModelAdversarial) -> str:
    return f"Adversarial tokens of {measured.model}, on {measured.inputs}"


def _render_searches(measured: ModelAdversarial) -> str:
    if not measured.searches:
        return "<p>Nothing was searched.</p>"
    heads = ("search", "answers turned", "tokens changed, median", "lead taken, mean")
    head = "".join(f"<th scope=col>{name}</th>" for name in heads)
    rows = "".join(_render_search(each) for each in measured.searches)
    return f'<div class="tp-wide"><table><thead><tr>{head}</tr></thead><tbody>{rows}</tbody></table></div>'


def _render_search(each: SearchFigures) -> str:
    tokens = "–" if each.median_tokens is None else f"{each.median_tokens:g}"
    return (
        f"<tr><th scope=row>{escape_html(each.name)}</th><td class=tp-n>{write_interval(each.turned)}</td>"
        f"<td class=tp-n>{tokens}</td><td class=tp-n>{each.margin_lost:.0%}</td></tr>"
    )


def _render_rows(measured: ModelAdversarial) -> str:
    """Of each row the input with the smallest lead that any search found."""
    shown = [_render_found(row, measured) for row in measured.rows[:_MOST_ROWS]]
    if not shown:
        return ""
    rest = len(measured.rows) - len(shown)
    more = f'<p class="tp-soft">{rest} more rows are in the JSON.</p>' if rest > 0 else ""
    heads = ("row", "lead before", "lead after", "by", "input; new tokens are marked")
    head = "".join(f"<th scope=col>{name}</th>" for name in heads)
    body = "".join(shown)
    return (
        f'<div class="tp-wide"><table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table></div>{more}'
    )


def _render_found(row: AttackedRow, measured: ModelAdversarial) -> str:
    found = [
        (search.name, trace)
        for search in measured.searches
        for trace in search.traces
        if trace.row == row.row
    ]
    name, trace = min(found, key=lambda pair: _lead(pair[1], row), default=("", None))
    after = row.margin if trace is None else _lead(trace, row)
    turned = " (turned)" if after < 0 else ""
    cells = (f"{row.margin:.3g}", f"{after:.3g}{turned}", escape_html(name))
    numbers = "".join(f"<td class=tp-n>{cell}</td>" for cell in cells)
    return f"<tr><th scope=row>{row.row}</th>{numbers}<td>{_render_input(trace)}</td></tr>"


def _lead(trace: SearchTrace, row: AttackedRow) -> float:
    smallest = trace.smallest_margin
    return row.margin if smallest is None else smallest


def _render_input(trace: SearchTrace | None) -> str:
    if trace is None:
        return "–"
    pieces = trace.pieces or tuple(map(str, trace.ids))
    # Tokenizers mark either the beginning of a word by a space, or its continuation by ##.
    spaced = any(piece.startswith(" ") for piece in trace.pieces)
    parts = []
    for place, piece in enumerate(pieces[:_LONGEST_IDS]):
        text = escape_html(piece.removeprefix("##"))
        parts.append("" if spaced or piece.startswith("##") or place == 0 else " ")
        parts.append(f"<mark>{text}</mark>" if place in trace.places else text)
    return "".join(parts) + (" …" if len(pieces) > _LONGEST_IDS else "")

"""Show the capacity of a model: what stands out, then tables of its streams, weights, units, tables and experts."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from statistics import fmean
from typing import TYPE_CHECKING

from tierproof.analysis.capacity.unusual_layers import group_layer
from tierproof.core.plain_html import escape_html
from tierproof.errors import BrokenPackageError, MissingPackageError
from tierproof.plots.registry import draw_figure
from tierproof.plots.svg import render_inline_svg

if TYPE_CHECKING:
    from tierproof.analysis.capacity.capacity_figures import (
        BlockStack,
        BlockState,
        CapacityFigures,
        ExpertLoad,
        ModelCapacity,
        Unusual,
        WeightSpectrum,
    )

_MOST_ROWS = 60
_STYLE = (
    ".tp-capacity{font-family:system-ui,sans-serif;line-height:1.45;max-width:62em;"
    "--tp-ink-soft:light-dark(#5b6472,#a9b2c0);--tp-axis:#9aa3b0;--tp-accent:light-dark(#3f74d6,#7aa5f5);"
    "--tp-font:system-ui,sans-serif}"
    ".tp-capacity .tp-wide{overflow-x:auto}"
    ".tp-capacity table{border-collapse:collapse;font-size:.9em;font-variant-numeric:tabular-nums}"
    ".tp-capacity th,.tp-capacity td{text-align:right;padding:.15em .6em;border:0;"
    "border-bottom:1px solid rgba(128,128,128,.25);white-space:nowrap}"
    ".tp-capacity th:first-child,.tp-capacity td:first-child{text-align:left;padding-left:0;white-space:normal;"
    "overflow-wrap:anywhere;min-width:9em}"
    ".tp-capacity th{font-weight:600;vertical-align:bottom}"
    ".tp-capacity h3{margin:1.4em 0 .3em;font-size:1.05em}.tp-capacity p{margin:.3em 0 .6em}"
    ".tp-capacity svg{width:100%;height:auto;display:block}"
    ".tp-capacity .tp-bar{display:inline-block;width:5px;margin-right:1px;vertical-align:bottom;"
    "background:var(--tp-accent)}"
)


def render_capacity(measured: ModelCapacity) -> str:
    """The tables and the figure as a part of a page, without scripts and without anything from the network."""
    lines = "".join(f"<p>{escape_html(line)}</p>" for line in summarise_capacity(measured)[:2])
    parts = [
        lines,
        _render_unusual(measured),
        _draw(measured),
        *(_render_stack(stack, measured) for stack in measured.own.stacks),
        _render_weights(measured),
        _render_units(measured),
        _render_tables(measured),
        _render_experts(measured),
        "".join(f"<p>Not measured: {escape_html(each)}</p>" for each in measured.own.unread),
    ]
    return f'<div class="tp-capacity"><style>{_STYLE}</style>{"".join(parts)}</div>'


def render_capacity_page(measured: ModelCapacity) -> str:
    """The same as a page of its own, light or dark as the reader's system is."""
    return (
        '<!doctype html><html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>Capacity of {escape_html(measured.model)}</title>"
        "<style>:root{color-scheme:light dark}body{margin:1.2em}</style></head>"
        f"<body><main>{render_capacity(measured)}</main></body></html>\n"
    )


def summarise_capacity(measured: ModelCapacity) -> list[str]:
    """The result in a few sentences: what ran, what it is compared with, and what stands out."""
    own = measured.own
    blocks = sum(len(stack.states) - 1 for stack in own.stacks)
    what = f"{len(own.weights)} weight matrices, {blocks} blocks"
    lines = [f"{measured.model}: {what}, on {measured.inputs} ({own.positions:,} positions)."]
    beside = [] if measured.twin is None else ["a freshly initialised instance"]
    beside += [] if measured.reference is None else [f"the reference {measured.reference_name}"]
    lines.append(
        f"Beside: {' and '.join(beside)}." if beside else f"Nothing beside it: {measured.twin_reason}."
    )
    lines += [f"  {describe_unusual(each)}" for each in measured.unusual[:5]]
    lines += [f"  not measured: {each}" for each in own.unread[:5]]
    return lines


def describe_unusual(unusual: Unusual) -> str:
    """One figure that stands out, in words."""
    beside = "" if unusual.other is None else f", {_number(unusual.other)} in the other model"
    return (
        f"`{unusual.where}`: {unusual.figure} {_number(unusual.own)}; its {unusual.siblings} siblings have "
        f"{_number(unusual.usual)}{beside} (score {unusual.score:+.1f})"
    )


def _render_unusual(measured: ModelCapacity) -> str:
    if not measured.unusual:
        return ""
    other = "reference" if measured.reference is not None else "fresh"
    rows = [
        (
            each.where,
            each.figure,
            _number(each.own),
            _number(each.usual),
            "" if each.other is None else _number(each.other),
            f"{each.score:+.1f}",
        )
        for each in measured.unusual
    ]
    note = "Distance from layers of the same kind, in robust standard deviations; 5 and more are shown."
    return _section("What stands out", note, ("layer", "figure", "own", "siblings", other, "score"), rows)


def _draw(measured: ModelCapacity) -> str:
    try:
        figure = draw_figure("T2-CAPACITY", measured.to_dict())
    except (MissingPackageError, BrokenPackageError) as error:
        return f"<p>No figure: {escape_html(str(error))}</p>"
    return "" if figure is None else f'<div style="max-width:34em">{render_inline_svg(figure)}</div>'


def _render_stack(stack: BlockStack, measured: ModelCapacity) -> str:
    twins = _index_states(measured.twin, stack.path)
    read = any(state.agreement is not None for state in stack.states)
    rows = [_list_state(state, twins.get(state.path), read=read) for state in stack.states[:_MOST_ROWS]]
    titles: tuple[str, ...] = (
        "block",
        "norm",
        "fresh",
        "share",
        "fresh",
        "spread",
        "fresh",
        "largest",
        "÷ median",
    )
    titles += ("lens", "KL (nats)") if read else ()
    note = (
        "Norm: of the residual stream behind the block. Share: ‖block(x) − x‖ / ‖x‖. Spread: 0 where all positions are "
        "alike."
    )
    note += " Lens: how often the model's first choice can be read off here already." if read else ""
    return _section(f"Residual stream of {stack.path or 'the model'}", note, titles, rows)


def _index_states(figures: CapacityFigures | None, path: str) -> dict[str, BlockState]:
    stacks = () if figures is None else figures.stacks
    return {state.path: state for stack in stacks if stack.path == path for state in stack.states}


def _list_state(state: BlockState, twin: BlockState | None, *, read: bool) -> tuple[str, ...]:
    def beside(read: Callable[[BlockState], float | None]) -> tuple[str, str]:
        return _number(read(state)), "" if twin is None else _number(read(twin))

    lens = ("" if state.agreement is None else f"{state.agreement:.0%}", _number(state.divergence_nats))
    return (
        state.path or "(enters)",
        *beside(lambda each: each.norm),
        *beside(lambda each: each.update),
        *beside(lambda each: each.spread),
        _number(state.largest),
        _number(state.largest / state.median if state.median else None),
        *(lens if read else ()),
    )


def _render_weights(measured: ModelCapacity) -> str:
    twins = _group(measured.twin)
    references = _group(measured.reference)
    rows = []
    for kind, members in list(_group(measured.own).items())[:_MOST_ROWS]:
        least = min(members, key=lambda each: each.rank_share)
        tails = [each.tail_exponent for each in members if each.tail_exponent is not None]
        row = [
            f"{kind} ({len(members)})" if len(members) > 1 else kind,
            " × ".join(map(str, members[0].shape)),
            _mean_share(members),
            _mean_share(twins.get(kind, [])),
        ]
        row += [_mean_share(references.get(kind, []))] if references else []
        row += [
            f"{least.rank_share:.0%} {least.name.removesuffix('.weight')}" if len(members) > 1 else "",
            _number(fmean(each.stable_rank for each in members)),
            f"{fmean(each.top_share for each in members):.1%}",
            _number(fmean(tails)) if tails else "",
        ]
        rows.append(tuple(row))
    titles = ("weights", "shape", "effective rank", "fresh", *(["reference"] if references else []), "lowest")
    titles = (*titles, "stable rank", "top 1%", "tail α")
    worst = max((each.relative_error for each in measured.own.weights), default=0.0)
    exact = (
        "All singular values were computed."
        if not worst
        else f"Ranks of large weights are estimates (± {worst:.1%} at most)."
    )
    note = (
        "Effective rank as a share of the full rank, a mean over the layers. Top 1%: energy in the largest singular "
        f"values. {exact}"
    )
    return _section("Weights", note, titles, rows)


def _group(figures: CapacityFigures | None) -> dict[str, list[WeightSpectrum]]:
    groups: dict[str, list[WeightSpectrum]] = {}
    for weight in () if figures is None else figures.weights:
        groups.setdefault(group_layer(weight.name), []).append(weight)
    return groups


def _mean_share(members: Sequence[WeightSpectrum]) -> str:
    return f"{fmean(each.rank_share for each in members):.0%}" if members else ""


def _render_units(measured: ModelCapacity) -> str:
    twins = {} if measured.twin is None else {each.path: each for each in measured.twin.units}
    rows = [
        (
            each.path or "the model",
            each.function,
            str(each.units),
            f"{each.silent / each.units:.1%}",
            f"{each.never_positive / each.units:.1%}",
            f"{twins[each.path].never_positive / twins[each.path].units:.1%}" if each.path in twins else "",
            f"{each.positions:,}",
        )
        for each in measured.own.units[:_MOST_ROWS]
    ]
    note = "Silent: units that give nothing at any position. Never positive: zero or less at every position."
    titles = ("activation function", "", "units", "silent", "never positive", "fresh", "positions")
    return _section("Units", note, titles, rows)


def _render_tables(measured: ModelCapacity) -> str:
    twins = {} if measured.twin is None else {each.name: each for each in measured.twin.embeddings}
    rows = [
        (
            each.name,
            f"{each.rows:,} × {each.width}",
            _number(each.mean_cosine),
            _number(twins[each.name].mean_cosine) if each.name in twins else "",
            _number(each.partition_ratio),
            _number(twins[each.name].partition_ratio) if each.name in twins else "",
        )
        for each in measured.own.embeddings
    ]
    note = "Cosine: mean over pairs of rows, 0 where they point everywhere. Isotropy: min Z(c) / max Z(c), 1 at best."
    titles = ("table", "size", "cosine", "fresh", "isotropy", "fresh")
    return _section("Embeddings", note, titles, rows)


def _render_experts(measured: ModelCapacity) -> str:
    rows = [
        (
            each.path,
            str(len(each.shares)),
            f"{min(each.shares):.1%}",
            f"{max(each.shares):.1%}",
            _number(each.load_entropy),
            _number(each.relative_entropy),
        )
        for each in measured.own.experts[:_MOST_ROWS]
    ]
    bars = "".join(_render_bars(each) for each in measured.own.experts[:_MOST_ROWS] if len(each.shares) <= 64)
    note = (
        "Shares of the choices, and entropies as a part of an even load; the router's is a mean over tokens."
    )
    titles = ("experts", "number", "least", "most", "load entropy", "router entropy")
    return _section("Experts", note, titles, rows) + bars


def _render_bars(load: ExpertLoad) -> str:
    most = max(load.shares)
    bars = "".join(
        f'<span class="tp-bar" style="height:{1 + 27 * share / most:.0f}px" '
        f'title="expert {number}: {share:.2%}"></span>'
        for number, share in enumerate(load.shares)
    )
    return f'<p><span style="display:inline-block;min-height:28px">{bars}</span> {escape_html(load.path)}</p>'


def _section(title: str, note: str, titles: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    listed = list(rows)
    if not listed:
        return ""
    head = "".join(f"<th scope=col>{escape_html(each)}</th>" for each in titles)
    body = "".join(f"<tr>{''.join(f'<td>{escape_html(cell)}</td>' for cell in row)}</tr>" for row in listed)
    return (
        f"<h3>{escape_html(title)}</h3><p>{escape_html(note)}</p>"
        f'<div class="tp-wide"><table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table></div>'
    )


def _number(value: float | None) -> str:
    """Three digits, as people write them."""
    if value is None:
        return ""
    return f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.3g}"

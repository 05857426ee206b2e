"""Show the heads of a model as a grid: a row for each attention operation, a cell for each head."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tierproof.analysis.attention.head_role import ROLES, find_role
from tierproof.core.plain_html import escape_html
from tierproof.plots.head_role_colours import ROLE_COLOURS, find_opacity

if TYPE_CHECKING:
    from tierproof.analysis.attention.attention_figures import (
        HeadStatistics,
        ModelAttention,
        PatternStatistics,
    )

_CELL = (
    "display:inline-block;width:2.4em;padding:.25em 0;text-align:center;border-radius:3px;font-size:.8em;"
    "border:1px solid rgba(128,128,128,.35)"
)
_STYLE = (
    ".tp-heads{font-family:system-ui,sans-serif;overflow-x:auto;line-height:1.4}"
    ".tp-heads th{font-weight:normal;text-align:left;padding-right:.8em;white-space:nowrap}"
    ".tp-heads td{padding:1px;border:0;text-align:left;white-space:nowrap}"
    ".tp-heads table{border-collapse:collapse}"
)


def render_attention_grid(measured: ModelAttention) -> str:
    """The grid as a part of a page, without scripts and without anything from the network."""
    heads = sum(len(pattern.heads) for pattern in measured.patterns)
    title = f"{measured.model}: {len(measured.patterns)} attention operations with {heads} heads, on {measured.inputs}"
    rows = "".join(map(_render_row, measured.patterns))
    unread = "".join(f"<p>Not read: {escape_html(each)}</p>" for each in measured.unread)
    table = f"<table>{rows}</table>{_render_legend()}" if rows else "<p>No attention was recognised.</p>"
    return f'<div class="tp-heads"><style>{_STYLE}</style><p>{escape_html(title)}</p>{table}{unread}</div>'


def render_attention_page(measured: ModelAttention) -> str:
    """The grid as a page of its own, light or dark as the reader's system is."""
    return (
        '<!doctype html><html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>Attention of {escape_html(measured.model)}</title>"
        "<style>:root{color-scheme:light dark}body{margin:1.5em}</style></head>"
        f"<body><main>{render_attention_grid(measured)}</main></body></html>\n"
    )


def describe_head(number: int, head: HeadStatistics) -> str:
    """One head in words: what it looks at most, and how spread its weights are."""
    role, weight = find_role(head)
    words = [
        f"head {number}: {weight:.0%} of the weight on {ROLES[role]}",
        f"entropy {head.entropy_nats:.2f} nats ({head.relative_entropy:.0%} of an even spread)",
    ]
    if head.distance is not None:
        words.append(f"mean distance {head.distance:.1f} positions")
    if head.induction is not None:
        words.append(f"induction {head.induction:.0%}")
    if head.effect is not None:
        nats = "" if head.divergence_nats is None else f" ({head.divergence_nats:.2g} nats)"
        words.append(f"without it the outputs change by {head.effect:.2g} of their norm{nats}")
    return "; ".join(words)


def _render_row(pattern: PatternStatistics) -> str:
    cells = "".join(_render_cell(number, head) for number, head in enumerate(pattern.heads))
    name = escape_html(pattern.path or "the model")
    return f"<tr><th scope=row>{name}</th><td>{cells}</td></tr>"


def _render_cell(number: int, head: HeadStatistics) -> str:
    role, weight = find_role(head)
    words = escape_html(describe_head(number, head))
    return (
        f'<span style="{_CELL};background:{_tint(role, find_opacity(weight))}" title="{words}" '
        f'aria-label="{words}">{weight:.0%}</span> '
    )


def _render_legend() -> str:
    entries = " ".join(
        f'<span style="white-space:nowrap"><span style="{_CELL};width:1em;background:{_tint(role, 0.8)}">&nbsp;'
        f"</span> {escape_html(words)}</span>"
        for role, words in ROLES.items()
    )
    return (
        f"<p>A cell shows the largest weight that the head gives to one of these places, and its colour the place: "
        f"{entries}</p>"
    )


def _tint(role: str, opacity: float) -> str:
    """The role's colour as CSS writes it with an opacity: two more hexadecimal digits."""
    return f"{ROLE_COLOURS[role]}{round(255 * opacity):02x}"

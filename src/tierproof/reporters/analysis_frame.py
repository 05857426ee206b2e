"""The frame of an analysis in a notebook or on a page of its own: its colours, its title and its figure."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from tierproof.core.plain_html import escape_html
from tierproof.errors import BrokenPackageError, MissingPackageError

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_LIGHT = (
    "--tp-ink:#1a222e;--tp-ink-soft:#566172;--tp-axis:#98a2b0;--tp-line:#dfe3e9;--tp-accent:#2f66c9;"
    "--tp-good:#17774a;--tp-bad:#c02823;--tp-fig-warn:#cc7a00;--tp-mark:#fdf1dd"
)
_DARK = (
    "--tp-ink:#e7ebf1;--tp-ink-soft:#a6b0be;--tp-axis:#6b7685;--tp-line:#323b48;--tp-accent:#84abf7;"
    "--tp-good:#5cc98f;--tp-bad:#f67f77;--tp-fig-warn:#e5a03a;--tp-mark:#4a3a17"
)
_STYLE = (
    f".tp-analysis{{{_LIGHT};color:var(--tp-ink);font:14px/1.5 system-ui,sans-serif;max-width:76em}}"
    f"@media (prefers-color-scheme:dark){{.tp-analysis{{{_DARK}}}}}"
    f"[data-theme=dark] .tp-analysis,[data-jp-theme-light=false] .tp-analysis,.vscode-dark .tp-analysis{{{_DARK}}}"
    ".tp-analysis .tp-wide{overflow-x:auto}"
    ".tp-analysis table{border-collapse:collapse;margin:.5em 0;font-size:13px}"
    ".tp-analysis th,.tp-analysis td{text-align:left;padding:3px 12px 3px 0;border:0;border-bottom:1px solid "
    "var(--tp-line);background:none;color:inherit;vertical-align:top}"
    ".tp-analysis thead th{color:var(--tp-ink-soft);font-weight:500}"
    ".tp-analysis tbody th{font-weight:600;white-space:nowrap}"
    ".tp-analysis .tp-n{font-variant-numeric:tabular-nums;white-space:nowrap}"
    ".tp-analysis .tp-soft{color:var(--tp-ink-soft)}"
    ".tp-analysis mark{background:var(--tp-mark);color:inherit;border-radius:3px;padding:0 2px}"
    ".tp-analysis svg{max-width:100%;height:auto}"
)


def frame_analysis(title: str, body: str) -> str:
    """A part of a page, light or dark as the reader's system or notebook is; `body` is HTML."""
    return f'<div class="tp-analysis"><style>{_STYLE}</style><p><b>{escape_html(title)}</b></p>{body}</div>'


def page_analysis(title: str, framed: str) -> str:
    """A page of its own around a framed analysis."""
    return (
        '<!doctype html><html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>{escape_html(title)}</title>"
        "<style>:root{color-scheme:light dark}body{margin:1.2em}</style></head>"
        f"<body><main>{framed}</main></body></html>\n"
    )


def embed_figure(draw: Callable[[], Figure | None]) -> str:
    """The figure as SVG; empty where there is none to draw or matplotlib cannot draw it."""
    from tierproof.plots.load_matplotlib import chart_style
    from tierproof.plots.svg import render_inline_svg

    try:
        with chart_style():
            figure = draw()
        return "" if figure is None else render_inline_svg(figure)
    except (MissingPackageError, BrokenPackageError) as error:
        return f'<p class="tp-soft">No figure: {escape_html(error.message)}</p>'

"""What a longer step is doing: one line of the cell's output that changes, and is gone afterwards."""

from __future__ import annotations

import contextlib
import importlib
from collections.abc import Callable, Iterator

from tierproof.api.show.progress import in_notebook
from tierproof.core.plain_html import escape_html

_STYLE = "color:#7a8594;font:13px system-ui,sans-serif"


@contextlib.contextmanager
def open_live_line() -> Iterator[Callable[[str], None]]:
    """Give a function that shows a line while the context is open; outside a notebook it does nothing."""
    if not in_notebook():
        yield lambda _: None
        return
    display = importlib.import_module("IPython.display")
    handle = display.display(_page(display, "tierproof …"), display_id=True)

    def show(text: str) -> None:
        if text:
            handle.update(_page(display, f"tierproof: {text} …"))

    try:
        yield show
    finally:
        handle.update({"text/plain": "", "text/html": ""}, raw=True)


def _page(display: object, text: str) -> object:
    return display.HTML(f'<span style="{_STYLE}">{escape_html(text)}</span>')  # type: ignore[attr-defined]

"""What the watch tells in a notebook: the same words as text and as HTML."""

from __future__ import annotations

from dataclasses import dataclass

from tierproof.core.plain_html import escape_html
from tierproof.core.plain_text import clean_text


@dataclass(frozen=True, slots=True)
class Notice:
    """A short message.

    Attributes:
        title: one line.
        lines: the rest.
        severity: `error`, `warning` or `info`.
    """

    title: str
    lines: tuple[str, ...] = ()
    severity: str = "warning"

    def to_text(self) -> str:
        """Give it as plain lines."""
        return clean_text("\n".join([f"tierproof: {self.title}", *(f"  {line}" for line in self.lines)]))

    def __repr__(self) -> str:
        return self.to_text()

    def _repr_html_(self) -> str:
        colour = {"error": "#b3261e", "warning": "#9a6700", "info": "#57606a"}.get(self.severity, "#57606a")
        body = escape_html("\n".join(self.lines))
        style = f"border-left:4px solid {colour};padding:4px 10px;margin:4px 0"
        rest = f"<pre style='margin:4px 0 0;white-space:pre-wrap'>{body}</pre>" if body else ""
        return f"<div style='{style}'><b>tierproof:</b> {escape_html(self.title)}{rest}</div>"


def show(notice: Notice) -> None:
    """Show a notice below the running cell."""
    from IPython.display import display

    display(notice)

"""A box: what a step of a notebook shows. Short, readable as plain text, and as HTML in light and dark."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

from tierproof.core.json_value import JsonValue
from tierproof.core.plain_html import escape_html
from tierproof.core.plain_text import clean_text
from tierproof.session.box_style import BOX_STYLE

_MOST_LINES = 16
_LONGEST_CELL = 60


class Tone(StrEnum):
    """How a step went; it gives a box its colour and its mark."""

    GOOD = "good"
    NOTE = "note"
    WARN = "warn"
    BAD = "bad"


_MARKS = {Tone.GOOD: "✓", Tone.NOTE: "·", Tone.WARN: "!", Tone.BAD: "✗"}


@dataclass(frozen=True, slots=True, repr=False)
class Box:
    """What a step has to say.

    Attributes:
        title: in a few words.
        tone: of the whole box.
        lines: sentences; of very many the first are shown.
        titles: of the table's columns.
        rows: of the table.
        advice: what to do next.
        links: text and address.
    """

    title: str
    tone: Tone = Tone.NOTE
    lines: tuple[str, ...] = ()
    titles: tuple[str, ...] = ()
    rows: tuple[tuple[str, ...], ...] = ()
    advice: tuple[str, ...] = ()
    links: tuple[tuple[str, str], ...] = ()

    def to_dict(self) -> dict[str, JsonValue]:
        """Give the box as JSON."""
        return {
            "format_version": 1,
            "title": self.title,
            "tone": self.tone.value,
            "lines": list(self.lines),
            "rows": [dict(zip(self.titles, row, strict=True)) for row in self.rows],
            "advice": list(self.advice),
            "links": [{"text": text, "address": address} for text, address in self.links],
        }

    @property
    def _shown_lines(self) -> tuple[str, ...]:
        lines = tuple(part for line in self.lines for part in line.splitlines())
        if len(lines) <= _MOST_LINES:
            return lines
        return (*lines[: _MOST_LINES - 1], f"… and {len(lines) - _MOST_LINES + 1} more lines")

    def __str__(self) -> str:
        text = [f"{_MARKS[self.tone]} {self.title}", *(f"  {line}" for line in self._shown_lines)]
        text += [f"  {line}" for line in _lay_out(self.titles, self.rows)]
        text += [f"  → {part}" for part in self.advice]
        text += [f"  {label}: {address}" for label, address in self.links]
        return clean_text("\n".join(text))

    def __repr__(self) -> str:
        return str(self)

    def _repr_html_(self) -> str:
        parts = [f'<p class="tpn-title"><span>{_MARKS[self.tone]}</span> {escape_html(self.title)}</p>']
        if self._shown_lines:
            parts.append(f'<p class="tpn-lines">{escape_html(chr(10).join(self._shown_lines))}</p>')
        if self.rows:
            parts.append(_make_table(self.titles, self.rows))
        parts += [f'<p class="tpn-advice">{escape_html(part)}</p>' for part in self.advice]
        links = " · ".join(
            f'<a href="{escape_html(address)}" target="_blank" rel="noopener">{escape_html(label)}</a>'
            for label, address in self.links
        )
        parts += [f'<p class="tpn-links">{links}</p>'] if links else []
        return f'{BOX_STYLE}<div class="tpn tpn-{self.tone.value}">{"".join(parts)}</div>'


def _make_table(titles: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    head = "".join(f'<th scope="col">{escape_html(title)}</th>' for title in titles)
    body = "".join(
        f"<tr>{''.join(_make_cell(title, cell) for title, cell in zip(titles, row, strict=True))}</tr>"
        for row in rows
    )
    return f'<table class="tpn-table"><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>'


def _make_cell(title: str, cell: str) -> str:
    # On a phone the rows become blocks, and each cell is led by its column's title.
    return f'<td data-title="{escape_html(title)}">{escape_html(cell)}</td>'


def _lay_out(titles: Sequence[str], rows: Sequence[Sequence[str]]) -> list[str]:
    if not rows:
        return []
    cells = [[_shorten(cell) for cell in row] for row in [titles, *rows]]
    widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
    return [
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
        for row in cells
    ]


def _shorten(cell: str) -> str:
    return cell if len(cell) <= _LONGEST_CELL else cell[: _LONGEST_CELL - 1] + "…"

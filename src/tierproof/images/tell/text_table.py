"""A table as plain aligned text."""

from __future__ import annotations

from collections.abc import Sequence


def align_table(titles: Sequence[str], rows: Sequence[Sequence[str]], *, indent: str = "") -> str:
    """Give a line of titles and one for each row; columns stand two blanks apart.

    Args:
        titles: of the columns; none for a table without that line.
        rows: as many cells in each as there are columns.
        indent: before each line.
    """
    lines = [*([titles] if titles else []), *rows]
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    return "\n".join(
        indent + "  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip()
        for line in lines
    )

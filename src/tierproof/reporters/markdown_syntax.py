"""Put arbitrary text into Markdown so that it reads as that text and nothing else."""

from __future__ import annotations

import re
from collections.abc import Sequence

from tierproof.reporters.clean_text import clean_line

_ACTIVE = re.compile(r"([\\`*_{}\[\]<>#|~$&@])")
_BLOCK_START = re.compile(r"^([-+](?=\s|$|[-+])|=|\d{1,9}(?=[.)](?:\s|$)))")
_BARE_LINK = re.compile(r"(?i)\b(https?|ftp):(?=//)|\b(www)\.")
_BACKTICKS = re.compile(r"`+")


def escape_markdown(text: str) -> str:
    """Escape what would be markup, anywhere in a paragraph, list item or table cell; gives one line."""
    escaped = _ACTIVE.sub(r"\\\1", clean_line(text))
    escaped = _BARE_LINK.sub(lambda match: f"{match[1]}\\:" if match[1] else f"{match[2]}\\.", escaped)
    if _BLOCK_START.match(escaped):
        return re.sub(r"^(\d*)(.)", r"\1\\\2", escaped, count=1)
    return escaped


def format_code(text: str, *, in_table: bool = False) -> str:
    """A code span that holds any text; a table needs its bars escaped, which it undoes itself."""
    text = clean_line(text)
    if not text:
        return ""
    longest = max((len(run) for run in _BACKTICKS.findall(text)), default=0)
    fence = "`" * (longest + 1)
    padding = " " if longest and (text.startswith("`") or text.endswith("`")) else ""
    code = f"{fence}{padding}{text}{padding}{fence}"
    return code.replace("|", "\\|") if in_table else code


def format_row(cells: Sequence[str]) -> str:
    """A table row of finished Markdown cells, their bars escaped."""
    return f"| {' | '.join(cells)} |"


def format_table(headers: Sequence[str], rows: Sequence[Sequence[str]]) -> list[str]:
    """A table of finished Markdown cells, as lines."""
    return [format_row(headers), "|" + " --- |" * len(headers), *(format_row(row) for row in rows)]

"""Put Python's values into shell text, as IPython does; what is not known leaves a mark."""

from __future__ import annotations

import ast
import re
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from tierproof.core.credentials import hide_credentials
from tierproof.guard.commands.pip_command import PipCommand
from tierproof.images.lists.hosted_service import HostedService
from tierproof.images.read.constant_value import NotConstant, evaluate

# Stands in a command for what cannot be told; no requirement has such a character.
UNKNOWN = "\ufffd"
_EXPRESSION = re.compile(r"\{\{|\}\}|\{([^{}]+)\}|\$\$|(?<!\\)\$([A-Za-z_]\w*(?:\.[A-Za-z_]\w*)*)")
_FIELD = re.compile(r"\{[^{}]+\}")
_LONGEST = 300


def expand_text(text: str, names: Mapping[str, Any], host: HostedService) -> str:
    """Put Python's values in for `{expression}` and `$name`, as IPython does before a shell sees the line."""

    def put_in(match: re.Match[str]) -> str:
        if match[0] in ("{{", "}}", "$$"):
            return match[0][0]
        told = match[1] or match[2]
        # Between single quotes, `$` is left to the shell; a name that Python does not know is the shell's.
        field = _FIELD.search(text, match.end())  # IPython counts the quotes up to the next `{…}`
        is_quoted = match[2] and text.count("'", match.end(), field.start() if field else len(text)) % 2
        if is_quoted or (match[2] and told.partition(".")[0] not in (*names, "sys")):
            return match[0]
        try:
            value = evaluate(ast.parse(told.strip(), mode="eval").body, names, host)
            return " ".join(map(str, value)) if isinstance(value, list) else str(value)
        except (NotConstant, LookupError):  # a variable whose value only the machine knows raises the latter
            return UNKNOWN
        except (SyntaxError, ValueError, RecursionError, MemoryError):
            return match[0]

    return _EXPRESSION.sub(put_in, text)


def leave_out_unknown(command: PipCommand) -> PipCommand:
    """Return a command without the words that are only known when it runs."""

    def known(words: tuple[str, ...]) -> tuple[str, ...]:
        return tuple(word for word in words if UNKNOWN not in word)

    return replace(
        command,
        requirements=known(command.requirements),
        editables=known(command.editables),
        requirement_files=known(command.requirement_files),
        constraint_files=known(command.constraint_files),
        extra_index_urls=known(command.extra_index_urls),
        find_links=known(command.find_links),
        index_url="" if UNKNOWN in command.index_url else command.index_url,
        elsewhere=command.elsewhere.replace(UNKNOWN, "…"),
    )


def shorten(text: str) -> str:
    """Return text on one line, cut where it is long, without credentials; `…` stands for what is not known."""
    return hide_credentials(" ".join(text.split()))[:_LONGEST].replace(UNKNOWN, "…")

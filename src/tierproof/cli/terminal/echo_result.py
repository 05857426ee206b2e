"""Print a command's result: one JSON document, or text for a person."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol

import click

from tierproof.cli.terminal.echo_text import echo_text
from tierproof.core.json_value import JsonValue


class Result(Protocol):
    """What the guard's commands give back."""

    def to_dict(self) -> dict[str, JsonValue]:
        """Give the `--json` document."""
        ...

    def describe(self) -> str:
        """Give it as plain text."""
        ...


def echo_result(result: Result, *, as_json: bool) -> None:
    """Write the result to stdout."""
    echo_document(result.to_dict(), result.describe(), as_json=as_json)


def echo_document(document: Mapping[str, JsonValue], text: str, *, as_json: bool) -> None:
    """Write a document as JSON, or the text in its place, to stdout."""
    if as_json:
        import json

        click.echo(json.dumps(document, indent=2, allow_nan=False))
    else:
        echo_text(text)

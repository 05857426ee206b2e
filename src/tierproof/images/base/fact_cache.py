"""Facts that stay true, kept in a file of the user's cache folder, by key."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Generic, TypeVar

from tierproof.core.atomic_write import write_text_atomically
from tierproof.errors import OutputError

_FORMAT = 1
_Fact = TypeVar("_Fact")


class FactCache(Generic[_Fact]):
    """A JSON file that maps keys to facts of one kind.

    A file that is absent, damaged or of another format counts as empty; one that cannot be written is left.

    Args:
        path: of the file.
        kind: what the facts are, as the file calls them.
        read: makes a fact from JSON; raises TypeError or ValueError if the JSON is not valid.
    """

    def __init__(self, path: Path, kind: str, read: Callable[[Any], _Fact]) -> None:
        self.path = path
        self._kind = kind
        self._read_fact = read
        self._known = self._read()

    def get(self, key: str) -> _Fact | None:
        """The fact, or None where it is not known."""
        return self._known.get(key)

    def add(self, found: Mapping[str, _Fact]) -> None:
        """Keep what was found, with what another process has kept meanwhile."""
        if not found:
            return
        self._known = {**self._read(), **self._known, **found}
        document = {"format": _FORMAT, self._kind: self._known}
        with contextlib.suppress(OSError, OutputError):  # without it the answer only takes longer
            self.path.parent.mkdir(parents=True, exist_ok=True)
            write_text_atomically(self.path, json.dumps(document, sort_keys=True))

    def _read(self) -> dict[str, _Fact]:
        try:
            document = json.loads(self.path.read_text(encoding="utf-8"))
            if document["format"] != _FORMAT:
                return {}
            return {str(key): self._read_fact(fact) for key, fact in document[self._kind].items()}
        except (OSError, ValueError, TypeError, KeyError, AttributeError):
            return {}

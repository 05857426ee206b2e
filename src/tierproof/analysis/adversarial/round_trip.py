"""Tell inputs that a tokenizer decodes and encodes to themselves from those that no text gives."""

from __future__ import annotations

from typing import Any

from tierproof.analysis.examples.token_text import decode_ids, encode_text
from tierproof.errors import UsageError


class RoundTrip:
    """Judges edited ids by the tokenizer; without one, everything passes.

    Where the original decodes and encodes to itself, the whole edited input has to: else a token may merge with its
    neighbour. Where the original does not, each new token has to on its own.

    Args:
        special: ids that are left out of the comparison, as the tokenizer adds them or not.
    """

    def __init__(self, tokenizer: Any, special: frozenset[int], original: list[int]) -> None:
        self._tokenizer, self._special = tokenizer, special
        self._original = original
        self._alone: dict[int, bool] = {}
        self._whole = tokenizer is not None and self._returns(original)

    def passes(self, ids: list[int]) -> bool:
        """Whether a text gives these ids."""
        if self._tokenizer is None:
            return True
        if self._whole:
            return self._returns(ids)
        return all(
            self._alone.setdefault(new, self._returns([new]))
            for new, old in zip(ids, self._original, strict=True)
            if new != old
        )

    def _returns(self, ids: list[int]) -> bool:
        try:
            text = decode_ids(self._tokenizer, ids)
            again = encode_text(self._tokenizer, text) if text else []
        except (UsageError, ValueError, LookupError, OverflowError, TypeError):
            return False  # ids that this tokenizer does not know
        return self._plain(again) == self._plain(ids)

    def _plain(self, ids: list[int]) -> list[int]:
        return [each for each in ids if each not in self._special]

"""The ids of a tokenizer's tokens that are no text: where a text begins and ends, and what is to be filled in."""

from __future__ import annotations

from typing import Any

_MARKS = ("cls_token_id", "sep_token_id", "bos_token_id", "eos_token_id")


def find_mark_ids(tokenizer: Any) -> frozenset[int]:
    """The ids that mark the beginning and the end of a text; empty where the tokenizer does not tell."""
    found = (getattr(tokenizer, name, None) for name in _MARKS)
    return frozenset(each for each in found if isinstance(each, int))


def find_mask_id(tokenizer: Any) -> int | None:
    """The id of the token that is to be filled in; None where the tokenizer has none."""
    found = getattr(tokenizer, "mask_token_id", None)
    return found if isinstance(found, int) else None

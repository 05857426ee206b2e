"""Turn texts into token ids and back with whatever tokenizer a person has."""

from __future__ import annotations

from typing import Any

from tierproof.errors import UsageError


def encode_text(tokenizer: Any, text: str) -> list[int]:
    """The ids of a text, special tokens included where the tokenizer adds them.

    Tokenizers of transformers are called, those of tokenizers, tiktoken and sentencepiece encode; a function is called.

    Raises:
        UsageError: the tokenizer raises, or gives no list of integers.
    """
    try:
        found = tokenizer.encode(text) if hasattr(tokenizer, "encode") else tokenizer(text)
    except Exception as error:
        raise UsageError(
            f"the tokenizer raised on {text[:40]!r}: {type(error).__name__}: {error}",
            hint="Pass a tokenizer with `encode(text)`, or a function from a text to a list of ids.",
        ) from error
    if hasattr(found, "ids"):
        found = found.ids
    elif hasattr(found, "keys"):
        found = found["input_ids"]
    found = found.tolist() if hasattr(found, "tolist") else found
    ids = found[0] if len(found) == 1 and isinstance(found[0], list) else found
    if not isinstance(ids, list | tuple) or not all(isinstance(each, int) for each in ids):
        raise UsageError(
            f"the tokenizer gives {type(ids).__name__} for a text, not a list of ids",
            hint="Pass a tokenizer with `encode(text)`, or a function from a text to a list of ids.",
        )
    return list(ids)


def decode_ids(tokenizer: Any, ids: list[int]) -> str | None:
    """The text of the ids without special tokens; None where the tokenizer cannot decode."""
    decode = getattr(tokenizer, "decode", None)
    if decode is None:
        return None
    try:
        text = decode(ids, skip_special_tokens=True)
    except TypeError:  # a decode that knows no special tokens
        text = decode(ids)
    return text if isinstance(text, str) else None


def list_pieces(tokenizer: Any, ids: list[int]) -> tuple[str, ...]:
    """The text of each token, for showing; its number where the tokenizer does not tell."""
    for name in ("convert_ids_to_tokens", "id_to_token"):
        convert = getattr(tokenizer, name, None)
        if convert is not None:
            return tuple(_clean(convert(each), each) for each in ids)
    return tuple(_clean(decode_ids(tokenizer, [each]), each) for each in ids)


def _clean(piece: Any, number: int) -> str:
    """A piece as people read it: byte-level and sentencepiece marks of a leading space become one."""
    if not isinstance(piece, str) or not piece:
        return f"#{number}"
    return piece.replace("Ġ", " ").replace("▁", " ").replace("Ċ", "\\n")

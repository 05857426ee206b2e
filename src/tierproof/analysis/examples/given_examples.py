"""What a person brings beside the model, before it is read: texts, ids, tensors or batches."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from tierproof.errors import UsageError


@dataclass(frozen=True)
class GivenExamples:
    """The user's own data, in the order given.

    Attributes:
        items: texts, sequences of token ids, tensors of one row, or batches as `tierproof.check` takes them.
        tokenizer: turns texts into ids; None where the items are no texts.
        labels: the right answer of each item, as a class number; None where there are none.
    """

    items: tuple[Any, ...]
    tokenizer: Any = None
    labels: tuple[int, ...] | None = None


def collect_examples(examples: Any, tokenizer: Any = None, labels: Any = None) -> GivenExamples | None:
    """What was passed as `examples=`, `tokenizer=` and `labels=`; None where nothing was.

    One text or one batch counts as a list of one. A tensor is a batch, and so are a dict and a tuple of tensors.

    Raises:
        UsageError: there are no examples in it, or labels or a tokenizer without any.
    """
    if examples is None:
        for name, value in (("labels", labels), ("tokenizer", tokenizer)):
            if value is not None:
                raise UsageError(f"{name} were given without examples", hint="Pass `examples=` as well.")
        return None
    alone = isinstance(examples, str | Mapping) or not isinstance(examples, Sequence) or _is_batch(examples)
    items = (examples,) if alone else tuple(examples)
    if not items:
        raise UsageError("there are no examples", hint="Pass at least one, or leave `examples` out.")
    if any(isinstance(item, str) for item in items) and tokenizer is None:
        raise UsageError(
            "examples are texts, but no tokenizer was given",
            hint="Pass `tokenizer=` too, or pass token ids instead of texts.",
        )
    return GivenExamples(items, tokenizer, None if labels is None else tuple(int(label) for label in labels))


def _is_batch(examples: Sequence[Any]) -> bool:
    """Whether a sequence is the arguments of one call: a tuple of things with a shape."""
    return isinstance(examples, tuple) and all(hasattr(item, "shape") for item in examples)

"""The user's own data, for checks that analyse a model on it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Examples:
    """What the user brought beside the model.

    Attributes:
        items: texts, tensors or batches, in the order given.
        tokenizer: turns texts into ids; None where the items are no texts.
        labels: the right answers, one for each item; None where there are none.
    """

    items: tuple[Any, ...]
    tokenizer: Any = None
    labels: Mapping[int, Any] | None = None

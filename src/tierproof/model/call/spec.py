"""`ModelSpec`: the facts that a user declares about a model; tierproof works out the others."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any

from tierproof.errors import UsageError

KINDS = ("causal-lm", "encoder", "encoder-decoder", "vision", "sequence", "unknown")


@dataclass(frozen=True, slots=True)
class ModelSpec:
    """Declared facts about a model; a declared fact overrides a detected one.

    Attributes:
        kind: causal-lm, encoder, encoder-decoder, vision, sequence or unknown.
        vocab_size: tokens are drawn from [0, vocab_size).
        max_length: the longest sequence the model is meant for, in tokens or steps.
        image_size: height and width in pixels.
        channels: image or audio channels.
        features: width of one float step, for sequence models.
        causal: True when output t must not depend on inputs after t.
        batch_first: False for (length, batch) models such as a default nn.Transformer.
        pad_token_id: the id whose positions a mask hides.
    """

    kind: str | None = None
    vocab_size: int | None = None
    max_length: int | None = None
    image_size: tuple[int, int] | None = None
    channels: int | None = None
    features: int | None = None
    causal: bool | None = None
    batch_first: bool | None = None
    pad_token_id: int | None = None

    def __post_init__(self) -> None:
        if self.kind is not None and self.kind not in KINDS:
            raise UsageError(f"unknown kind {self.kind!r}", hint=f"Use one of {', '.join(KINDS)}.")
        for name in ("vocab_size", "max_length", "channels", "features"):
            value = getattr(self, name)
            if value is not None and (isinstance(value, bool) or not isinstance(value, int) or value < 1):
                raise UsageError(f"ModelSpec.{name} must be a positive integer, not {value!r}")
        given: Any = self.image_size
        if isinstance(given, int) and not isinstance(given, bool):
            given = (given, given)
        if given is not None:
            size = tuple(given) if isinstance(given, tuple | list) else ()
            if len(size) != 2 or any(isinstance(s, bool) or not isinstance(s, int) or s < 1 for s in size):
                raise UsageError(
                    f"ModelSpec.image_size must be a height and a width, not {self.image_size!r}",
                    hint="Write image_size=(224, 224) in Python, or --spec image_size=224x224 on the command line.",
                )
            object.__setattr__(self, "image_size", size)
        for name in ("causal", "batch_first"):
            if getattr(self, name) not in (None, True, False):
                raise UsageError(f"ModelSpec.{name} must be true or false, not {getattr(self, name)!r}")

    @classmethod
    def from_mapping(cls, values: Mapping[str, object]) -> ModelSpec:
        """Build a spec from a config file's table.

        Raises:
            UsageError: for an unknown name or a value of the wrong type.
        """
        known = {item.name for item in fields(cls)}
        unknown = sorted(set(values) - known)
        if unknown:
            raise UsageError(
                f"unknown ModelSpec field {unknown[0]!r}", hint=f"Known fields: {', '.join(sorted(known))}."
            )
        return cls(**values)  # type: ignore[arg-type]

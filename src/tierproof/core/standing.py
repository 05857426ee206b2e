"""What a fact about a model rests on: given by the user, declared by the model, measured, or assumed."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import Enum
from functools import total_ordering

from tierproof.core.document import DocumentError, read_text
from tierproof.core.json_value import JsonValue


@total_ordering
class Standing(Enum):
    """How well a fact is founded; `GIVEN` is the greatest, `ASSUMED` the least.

    A declaration is explicit: an attribute, an argument, a config, a mask, an annotation. A name declares nothing.
    """

    ASSUMED = "assumed"
    MEASURED = "measured"
    DECLARED = "declared"
    GIVEN = "given"

    def __lt__(self, other: object) -> bool:
        """Whether this standing is weaker than the other."""
        if not isinstance(other, Standing):
            return NotImplemented
        order = list(Standing)
        return order.index(self) < order.index(other)


@dataclass(frozen=True, slots=True)
class Fact:
    """One fact about a model that a finding may rest on.

    Attributes:
        name: what it is about, such as `causality` or `input x`.
        standing: how well it is founded.
        value: the fact in words, with its source: "causal, declared by block.is_causal".
        settle: how the user can give it, as an instruction: "declare `ModelSpec(causal=False)`".
    """

    name: str
    standing: Standing
    value: str = ""
    settle: str = ""

    def to_dict(self) -> dict[str, JsonValue]:
        """Give the fact as it stands in a finding's `rests_on`."""
        return {"fact": self.name, "standing": self.standing.value, "value": self.value}

    @classmethod
    def from_dict(cls, document: Mapping[str, JsonValue]) -> Fact:
        """Read what `to_dict` wrote; how to settle the fact is told in the finding's hint, not here.

        Raises:
            DocumentError: a key is missing, or holds a value of another type.
        """
        standing = read_text(document, "standing")
        if standing not in {item.value for item in Standing}:
            raise DocumentError(
                f"the report's JSON has the unknown value {standing!r} for `standing`, which says how a fact about the "
                f"model is known: {', '.join(each.value for each in Standing)}",
                hint="Pass a document that `tierproof check --json` wrote, unchanged.",
            )
        return cls(read_text(document, "fact"), Standing(standing), read_text(document, "value"))


def find_weakest(facts: Iterable[Fact]) -> Standing:
    """The weakest standing of the facts; what rests on no fact is measured on the model itself."""
    return min((fact.standing for fact in facts), default=Standing.MEASURED)

"""The traits of a model, such as its kind, causality and positions, with the evidence for each."""

from __future__ import annotations

from dataclasses import dataclass, field

from tierproof.core.report import TraitEvidence
from tierproof.core.standing import Fact, Standing


@dataclass(frozen=True)
class Traits:
    """The traits of a model that checks depend on; None means neither declared nor measurable.

    Attributes:
        kind: causal-lm, encoder, encoder-decoder, vision, sequence or unknown.
        causal_declared: True/False where spec, config, attributes, masks or arguments declare it, or else by the
            class name, which is an assumption (see `facts`).
        causal_measured: True when no output depends on a later input; None when not measurable.
        influence: influence[i][j] is True when input j moves output i (length × length); empty if unknown.
        vocab_size: of the primary token input.
        max_length: declared maximum.
        positions: learned, sinusoidal, rotary, relative, none or unknown.
        encoder_decoder: it reads two sequences.
        experts: it is a mixture of experts.
        recurrent: it has recurrent layers or a state space.
        cache: its forward pass accepts a cache.
        tied: some parameter has several names.
        batch_norm: it contains a batch norm.
        pooled: the answer has no length axis.
        evidence: what each trait rests on, declared and measured.
        facts: those traits that findings rest on, with their standing.
        operations: names of the torch functions that a forward ran; empty where that could not be seen. By them a
            check can decide that it has nothing to look at.
    """

    kind: str = "unknown"
    causal_declared: bool | None = None
    causal_measured: bool | None = None
    influence: tuple[tuple[bool, ...], ...] = ()
    vocab_size: int | None = None
    max_length: int | None = None
    positions: str = "unknown"
    encoder_decoder: bool = False
    experts: bool = False
    recurrent: bool = False
    cache: bool = False
    tied: bool = False
    batch_norm: bool = False
    pooled: bool = False
    evidence: tuple[TraitEvidence, ...] = field(default=())
    facts: tuple[Fact, ...] = ()
    operations: frozenset[str] = frozenset()

    def fact(self, name: str) -> Fact:
        """The fact of that name; an assumption where nothing is known of it."""
        return next((fact for fact in self.facts if fact.name == name), Fact(name, Standing.ASSUMED))

    @property
    def names(self) -> tuple[str, ...]:
        """Short names for the report."""
        flags = {
            "causal": self.causal_declared if self.causal_declared is not None else self.causal_measured,
            "encoder-decoder": self.encoder_decoder,
            "experts": self.experts,
            "recurrent": self.recurrent,
            "cache": self.cache,
            "tied weights": self.tied,
            "batch norm": self.batch_norm,
            "pooled": self.pooled,
        }
        names = [name for name, value in flags.items() if value]
        if self.positions not in ("unknown", "none"):
            names.append(f"{self.positions} positions")
        return tuple(names)

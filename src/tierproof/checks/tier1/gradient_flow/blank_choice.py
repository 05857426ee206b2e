"""Whether a module has no effect because a codebook behind it holds nothing yet."""

from __future__ import annotations

from functools import cached_property

from tierproof.checks.check import CheckContext
from tierproof.checks.tier1.gradient_flow.starved_module import StarvedModule
from tierproof.model.call.call import Call
from tierproof.model.compare.blank_codebooks import fill_blank_codebooks
from tierproof.model.gradients.dependence import DependenceProbe


class BlankChoice:
    """Asks again with vectors in the codebooks that are still zero; measured once it is needed."""

    def __init__(self, context: CheckContext, call: Call, answers: frozenset[str]) -> None:
        self._context, self._call, self._answers = context, call, answers

    @cached_property
    def _probe(self) -> DependenceProbe | None:
        subject, seed = self._context.subject, self._context.seed
        filled = fill_blank_codebooks(subject.model, lambda: subject.forward(self._call), seed)
        return DependenceProbe(subject, self._call, seed, self._answers, filled) if filled else None

    def hides(self, item: StarvedModule) -> bool:
        """Whether an output depends on the module once the codebooks hold vectors."""
        return self._probe is not None and self._probe.affects(item.names)

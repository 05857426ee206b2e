"""Tell whether a forward pass samples (noise, latents, steps of a diffusion) rather than drops activations."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from tierproof.model.describe.subject import Subject
from tierproof.model.observe.operation_watch import OperationWatch

_SAMPLES = frozenset({"randn", "randn_like", "normal", "normal_", "randint", "randint_like", "multinomial"})
# Uniform numbers are compared with a rate of dropout.
_DROPS = frozenset(
    {"dropout", "dropout_", "dropout1d", "dropout2d", "dropout3d", "alpha_dropout", "feature_alpha_dropout",
     "bernoulli", "bernoulli_", "rand", "rand_like", "uniform_", "rrelu", "gumbel_softmax"}
)  # fmt: skip


class _RandomWatch(OperationWatch):
    def __init__(self) -> None:
        super().__init__()
        self.called: set[str] = set()

    def before(self, name: str, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> None:  # noqa: ARG002
        """Note what draws random numbers."""
        if name in _SAMPLES or (name in _DROPS and kwargs.get("training", True) is not False):
            self.called.add(name)


def only_samples(subject: Subject) -> bool:
    """Whether all random numbers that one forward pass draws are normal ones or indices, as generative models draw.

    A model of tokens that answers with logits has nothing to sample: noise in it is a fault.
    """
    if subject.inputs.primary_argument.role == "tokens" and subject.outputs.role == "logits":
        return False
    watch = _RandomWatch()
    with watch:
        subject.forward(subject.make_call())
    return bool(watch.called) and not watch.called & _DROPS

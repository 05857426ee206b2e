"""The subject of the checks: a model, how to call it, and its traits."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import Any

import torch
from torch import Tensor, nn

from tierproof.model.call.call import Call
from tierproof.model.call.input_plan import InputPlan
from tierproof.model.call.outputs import OutputPlan
from tierproof.model.call.spec import ModelSpec
from tierproof.model.describe.given_precision import GivenPrecision
from tierproof.model.describe.hidden_layers import HiddenLayers
from tierproof.model.describe.shared_passes import SharedPasses
from tierproof.model.describe.traits import Traits


@dataclass(frozen=True)
class Subject:
    """A loaded model, ready to be checked. The model is on `device` and in the user's own modes.

    `passes` keeps what the model's answers showed already; a subject made by `dataclasses.replace` has its own.

    Attributes:
        hidden: layers in plain attributes; they are registered while the checks run, so that they hide nothing else.
        stray_dropout: evaluation mode does not reach a dropout of the model; it is switched off
            while the checks run.
        given: the half precision in which the model was given, if it is checked in float32.
    """

    model: nn.Module
    target: str
    spec: ModelSpec
    inputs: InputPlan
    outputs: OutputPlan
    traits: Traits
    device: torch.device
    hidden: HiddenLayers = field(default_factory=HiddenLayers)
    stray_dropout: bool = False
    given: GivenPrecision | None = None
    passes: SharedPasses = field(default_factory=SharedPasses, init=False, repr=False, compare=False)

    @contextmanager
    def as_given(self) -> Iterator[Subject]:
        """Inside the `with`, the model has the precision in which it was given, and the subject plans inputs for it."""
        if self.given is None:
            yield self
            return
        with self.given.as_given():
            yield replace(self, inputs=self.given.narrow(self.inputs))

    def make_call(
        self,
        *,
        batch: int | None = None,
        length: int | None = None,
        seed: int = 0,
        target_length: int | None = None,
    ) -> Call:
        """A concrete call on the model's device."""
        return self.inputs.make(
            batch=batch, length=length, target_length=target_length, seed=seed, device=self.device
        )

    def answer(self, call: Call) -> Tensor:
        """Run the model (in whatever mode it is) and give the answer's tensor."""
        return self.outputs.select(self.forward(call))

    def forward(self, call: Call) -> Any:
        """Run the model and give everything it returns."""
        return call.run(self.model)

"""What every measurement of a new model needs: the model, its spec, its device and the seed."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from tierproof.model.call.call import Call
from tierproof.model.call.input_plan import InputPlan
from tierproof.model.call.outputs import iterate_tensors
from tierproof.model.call.spec import ModelSpec


@dataclass(frozen=True)
class ModelProbe:
    """A model with its spec, device and seed, while tierproof works out how to call it.

    Attributes:
        model: in evaluation mode while it is measured.
        spec: what the user declared.
        device: of its inputs.
        seed: of every random draw.
    """

    model: nn.Module
    spec: ModelSpec
    device: torch.device
    seed: int

    @property
    def name(self) -> str:
        """The class of the model."""
        return type(self.model).__name__

    def make_call(
        self,
        plan: InputPlan,
        *,
        batch: int | None = None,
        length: int | None = None,
        target_length: int | None = None,
    ) -> Call:
        """A call of the plan on the model's device."""
        return plan.make(
            batch=batch, length=length, target_length=target_length, seed=self.seed, device=self.device
        )

    def run(self, call: Call) -> dict[str, Tensor]:
        """Every tensor that the model returns, by its path in the output."""
        return dict(iterate_tensors(call.run(self.model)))

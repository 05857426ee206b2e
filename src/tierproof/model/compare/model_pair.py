"""Compare two versions of one model on one call: how much their answers differ, and from which module on."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from tierproof.model.call.substitution import run_substituted
from tierproof.model.compare.comparison import find_tolerance, measure_change
from tierproof.model.compare.locate import pair_calls
from tierproof.model.compare.steady_answer import Baseline
from tierproof.model.observe.activation_trace import trace_activations

# Inside one module, two ways to compute the same sum differ by rounding alone.
_LOCAL_TOLERANCE = 1e-3


@dataclass(frozen=True)
class Parting:
    """How much two versions differ: the relative change of the answer, and the module where it begins."""

    change: float
    where: str = ""


def answer_with(base: Baseline, model: nn.Module) -> Tensor:
    """A copy of another version's answer to the baseline's call, in evaluation mode and with the same seed."""
    model.eval()
    torch.manual_seed(base.answers.seed)
    with torch.no_grad():
        stand_ins = base.answers.stand_ins
        output = run_substituted(model, stand_ins, base.call) if stand_ins else base.call.run(model)
    return base.answers.subject.outputs.select(output).clone()


def locate_parting(base: Baseline, first: nn.Module, second: nn.Module) -> str:
    """The innermost module that gets equal inputs in both versions and returns different outputs.

    Both versions must have the same module paths. Empty if there is no such module.
    """
    calls = [trace_activations(model.eval(), base.call, seed=base.answers.seed) for model in (first, second)]
    for pair in pair_calls(*calls):
        if not any(_differ(a, b) for a, b in pair.inputs) and any(_differ(a, b) for a, b in pair.outputs):
            return pair.path
    return ""


def _differ(a: Tensor, b: Tensor) -> bool:
    if a.shape != b.shape or not a.is_floating_point():
        return False  # another mask or cache, which is how the versions differ by design
    return measure_change(a, b) > max(_LOCAL_TOLERANCE, find_tolerance(a))

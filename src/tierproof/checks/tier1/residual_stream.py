"""T1-SKIP: every block of a stack with attention adds to its input and keeps it.

What it does: sets the weights of all linear and convolutional layers in the blocks of a stack to zero, so that every
branch gives a constant, and looks at what is left: the skip connections. It draws the tokens anew and finds a block
whose input changes, whose output does not, and after which no module sees the change. Then it compares the factors by
which the blocks scale their inputs.

Why it matters: a block that returns its branch alone (`x = mlp(x)`), or adds the branch to itself (`x = y + y`), cuts
the stack in two: gradients and earlier features pass through one branch only. Such a model still trains, only worse.

Evidence: the change of the block's input and of its output, relative to their spread; the factor between them.

Exemptions: stacks of fewer than two blocks of one class, and blocks without attention (plain convolutional networks
have no skip connections). Blocks around which the caller adds the input. Blocks whose output has another shape than
their input. Weights of other layers are left unchanged.

Findings:
    T1-SKIP-001 warning: a block does not pass its input on.
    T1-SKIP-002 warning: one block adds its input scaled by another factor than all its siblings.

Source: He et al. 2016 (arXiv 1603.05027): the identity path of residual networks; Vaswani et al. 2017, section 3.1.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from statistics import median

import torch
from torch import Tensor, nn

from tierproof.checks.check import Check, CheckContext, CheckOutput
from tierproof.core.finding import Finding, Severity
from tierproof.core.json_value import JsonValue
from tierproof.model.call.input_plan import Argument
from tierproof.model.call.perturb import can_perturb
from tierproof.model.compare.comparison import measure_change
from tierproof.model.compare.locate import CallPair, pair_calls
from tierproof.model.compare.steady_answer import Baseline, find_baseline
from tierproof.model.describe.repeated_blocks import find_repeated_blocks
from tierproof.model.observe.activation_trace import trace_activations
from tierproof.model.observe.attention_capture import AttentionCapture
from tierproof.model.observe.execution_trace import ExecutionTrace

# With all branches constant, what a block hands on changes as much as its input; rounding changes far less.
_ROUNDING = 1e-5
# A factor of the program is exact; constants that biases leave move it by less.
_FACTOR_TOLERANCE = 0.05
# What remains of an output beside a multiple of its input, for the factor to mean anything.
_MOST_REST = 1e-3


def run(context: CheckContext) -> CheckOutput:
    """Run the check."""
    subject = context.subject
    base = find_baseline(subject, context.seed, batch=2)
    if isinstance(base, str):
        return CheckOutput(skipped=base)
    blocks = _find_attention_blocks(base)
    if len(blocks) < 2:
        return CheckOutput(skipped="the model has no stack of blocks with attention")
    stand_ins = {**base.answers.stand_ins, **_zero_branches(blocks)}
    found: list[Finding] = []
    factors: dict[str, float] = {}
    for argument in subject.inputs.arguments:
        if not can_perturb(argument) or argument.name not in base.call.tensors:
            continue
        pairs = _trace_pairs(base, argument, stand_ins)
        found += _judge_pairs(pairs, blocks, argument)
        if not factors:
            factors = _measure_factors(pairs, blocks)
        if found:
            break
    measured: dict[str, JsonValue] = {"blocks": list(blocks), "factors": dict(factors)}
    return CheckOutput(tuple(found or _judge_factors(factors)), measured)


def _find_attention_blocks(base: Baseline) -> dict[str, nn.Module]:
    """Blocks of one class in one container, in each of which attention is computed."""
    model = base.answers.subject.model
    with ExecutionTrace(model) as trace:
        capture = AttentionCapture(trace)
        with capture:
            base.answers.forward(base.call)
    places = {scores.path for scores in capture.scores}
    places |= {path for path, module in model.named_modules() if isinstance(module, nn.MultiheadAttention)}
    blocks = {
        path: block
        for path, block in find_repeated_blocks(model).items()
        if any(place == path or place.startswith(f"{path}.") for place in places)
    }
    stacks = [_name_stack(path) for path in blocks]
    return {path: block for path, block in blocks.items() if stacks.count(_name_stack(path)) > 1}


def _name_stack(path: str) -> str:
    return path.rpartition(".")[0]


def _zero_branches(blocks: Mapping[str, nn.Module]) -> dict[str, Tensor]:
    """Zeros for the weights and biases of the linear and convolutional layers in the blocks."""
    zeros: dict[str, Tensor] = {}
    for path, block in blocks.items():
        for inner, module in block.named_modules():
            if not _is_weighted(module):
                continue
            for name, parameter in module.named_parameters(recurse=False):
                zeros[".".join(part for part in (path, inner, name) if part)] = torch.zeros_like(parameter)
    return zeros


def _is_weighted(module: nn.Module) -> bool:
    layers = (nn.Linear, nn.Conv1d, nn.Conv2d, nn.Conv3d, nn.MultiheadAttention)
    # transformers' linear layer with a transposed weight.
    return isinstance(module, layers) or type(module).__name__ == "Conv1D"


def _trace_pairs(base: Baseline, argument: Argument, stand_ins: Mapping[str, Tensor]) -> tuple[CallPair, ...]:
    """What each module saw and gave, before and after all values of one argument are replaced."""
    subject, seed = base.answers.subject, base.answers.seed
    other = subject.make_call(
        batch=base.batch, length=base.length, target_length=base.target_length, seed=seed + 3
    )
    changed = base.call.with_argument(argument.name, other.arguments[argument.name])
    return pair_calls(
        *(
            trace_activations(subject.model.eval(), call, seed=seed, stand_ins=stand_ins)
            for call in (base.call, changed)
        )
    )


def _judge_pairs(
    pairs: Sequence[CallPair], blocks: Mapping[str, nn.Module], argument: Argument
) -> list[Finding]:
    """The first block that swallows the change, so that nothing that runs later sees it."""
    for place, pair in enumerate(pairs):
        if pair.path not in blocks or not pair.outputs:
            continue
        kept, given = pair.outputs[0], _main_input(pair)
        if given is None or not kept[0].is_floating_point():
            continue
        before, after = measure_change(*given), measure_change(*kept)
        broken = not all(bool(tensor.isfinite().all()) for tensor in (*given, *kept))
        if broken or before <= _ROUNDING or after > _ROUNDING or _is_seen_later(pairs[place + 1 :], pair):
            continue
        return [
            Finding(
                "T1-SKIP-001",
                Severity.WARNING,
                f"`{pair.path}` does not pass its input on: with the weights of its branches at zero, its output no "
                "longer depends on its input. A skip connection is missing, or adds the branch to itself.",
                pair.path,
                {"input_change": before, "output_change": after, "replaced": argument.name},
                "Add each branch to the block's input: `x = x + attention(norm(x))`, then `x = x + mlp(norm(x))`.",
            )
        ]
    return []


def _main_input(pair: CallPair) -> tuple[Tensor, Tensor] | None:
    """The input that has the shape of the output."""
    output = pair.outputs[0][0]
    return next(
        ((a, b) for a, b in pair.inputs if a.shape == output.shape == b.shape and a.is_floating_point()), None
    )


def _is_seen_later(later: Sequence[CallPair], pair: CallPair) -> bool:
    """Whether a module that runs after the block, or an answer, still changes."""
    for other in later:
        ancestor = other.path == "" or pair.path.startswith(f"{other.path}.")
        tensors = other.outputs if ancestor else (*other.inputs, *other.outputs)
        if any(measure_change(a, b) > _ROUNDING for a, b in tensors if a.is_floating_point()):
            return True
    return False


def _measure_factors(pairs: Sequence[CallPair], blocks: Mapping[str, nn.Module]) -> dict[str, float]:
    """By which factor each block hands on a change of its input; left out where it is no multiple."""
    factors = {}
    for pair in pairs:
        given = _main_input(pair) if pair.path in blocks and pair.outputs else None
        if given is None:
            continue
        before = (given[1] - given[0]).double().flatten()
        after = (pair.outputs[0][1] - pair.outputs[0][0]).double().flatten()
        size = float(before @ before)
        if not size > 0 or not bool(after.isfinite().all()):
            continue
        factor = float(after @ before) / size
        rest = float((after - factor * before).norm()) / max(size**0.5, 1e-30)
        if factor > 0 and rest <= _MOST_REST * factor:
            factors[pair.path] = factor
    return factors


def _judge_factors(factors: Mapping[str, float]) -> list[Finding]:
    """One block that scales its input while all siblings agree on another factor."""
    stacks: dict[str, dict[str, float]] = {}
    for path, factor in factors.items():
        stacks.setdefault(_name_stack(path), {})[path] = factor
    for stack in stacks.values():
        usual = median(stack.values())
        odd = {path: factor for path, factor in stack.items() if abs(factor / usual - 1) > _FACTOR_TOLERANCE}
        if len(stack) < 3 or len(odd) != 1:
            continue
        path, factor = next(iter(odd.items()))
        return [
            Finding(
                "T1-SKIP-002",
                Severity.WARNING,
                f"The residual connection of `{path}` scales its input by {factor:.3g}; its {len(stack) - 1} sibling "
                f"blocks scale theirs by {usual:.3g}.",
                path,
                {"factor": factor, "factor_of_siblings": usual, "siblings": len(stack) - 1},
                "Pass the input on as the siblings do, as in `x = x + branch(x)`: add it once, and do not scale the "
                "sum.",
            )
        ]
    return []


CHECK = Check("T1-SKIP", "residual stream", 1, run, needs=("parameter values",), cost_steps=0.4, value=58)

"""T1-SCALAR: a scalar output besides the main output, such as an auxiliary loss, is sound as well.

What it does: reads the scalar outputs that the model returns besides the main output, on one row of one and of two
tokens, and with other contents at positions that the padding mask hides.

Why it matters: an auxiliary loss is added to the loss. A mean over the tokens of an expert that got none is NaN, and
one training step then makes all weights NaN; padding that counts in a load balance moves the router towards padding.

Evidence: how many scalar outputs are NaN or infinite, and by how much one changes with the contents of hidden
positions.

Exemptions: models that return one output, or no scalar output; scalars that change with the targets.

Findings:
    T1-SCALAR-001 error: a scalar output besides the main output is NaN or infinite on few tokens.
    T1-SCALAR-002 warning: hidden positions change a scalar output besides the main output.

Source: Fedus et al. 2022 (arXiv 2101.03961), section 2.2, for the load balance; the rest follows from what a mask
means.
"""

from __future__ import annotations

import torch

from tierproof.checks.check import Check, CheckContext, CheckOutput
from tierproof.checks.claim import claim_error
from tierproof.core.finding import Finding, Severity
from tierproof.core.json_value import JsonValue
from tierproof.model.call.call import Call
from tierproof.model.call.input_plan import LENGTH
from tierproof.model.call.perturb import can_perturb, replace_positions, replace_values
from tierproof.model.compare.short_call import make_short_call
from tierproof.model.describe.basis import Basis
from tierproof.model.describe.subject import Subject
from tierproof.model.gradients.objective import collect_answers

_HIDDEN = 3
# Sums in float32 over other contents agree by far more than this.
_TOLERANCE = 1e-4


def run(context: CheckContext) -> CheckOutput:
    """Run the check."""
    subject, seed = context.subject, context.seed
    subject.model.eval()
    call = make_short_call(subject, seed)
    usual = _read_scalars(subject, call, seed)
    for path in _find_losses(subject, call, usual, seed):
        del usual[path]
    if not usual:
        return CheckOutput(skipped="the model returns no scalar output besides the main output and its loss")
    measured: dict[str, JsonValue] = {"outputs": sorted(usual)}
    findings = _judge_few_tokens(subject, seed, usual)
    findings += _judge_padding(subject, seed, usual, measured)
    return CheckOutput(tuple(findings), measured)


def _read_scalars(subject: Subject, call: Call, seed: int) -> dict[str, float]:
    torch.manual_seed(seed)
    with torch.no_grad():
        answers = collect_answers(subject.forward(call))
    return {p: float(t) for p, t in answers.items() if t.numel() == 1 and p != subject.outputs.main}


def _find_losses(subject: Subject, call: Call, usual: dict[str, float], seed: int) -> list[str]:
    """The numbers that move with the targets.

    A loss has no term where a single token has no next one, and T1-LOSS judges which labels it counts.
    """
    targets = [a for a in subject.inputs.arguments if a.role == "targets" and a.name in call.tensors]
    changed = call
    for argument in targets:
        every = torch.ones(1, dtype=torch.bool)
        drawn = replace_values(argument, call.tensors[argument.name], every, seed=seed + 1)
        changed = changed.with_argument(argument.name, drawn)
    if not targets or not usual:
        return []
    moved = _read_scalars(subject, changed, seed)
    return [path for path, value in usual.items() if moved.get(path) != value]


def _judge_few_tokens(subject: Subject, seed: int, usual: dict[str, float]) -> list[Finding]:
    sound = {path for path, value in usual.items() if torch.isfinite(torch.tensor(value))}
    for length in (1, 2) if subject.inputs.has_length and subject.inputs.min_length <= 1 else ():
        call = subject.make_call(batch=1, length=length, target_length=length, seed=seed)
        try:
            values = _read_scalars(subject, call, seed)
        except Exception:  # noqa: BLE001 - a length that raises is T1-SHAPE's finding
            continue
        for path in sorted(sound & set(values)):
            if not torch.isfinite(torch.tensor(values[path])):
                return [
                    claim_error(
                        "T1-SCALAR-001",
                        f"The output `{path}` is {values[path]} for {length} token(s), although it is finite for "
                        "longer sequences.",
                        "",
                        {"output": path, "tokens": length},
                        "Divide by a count of at least one, and leave groups without tokens out of the mean.",
                        rests_on=Basis.INPUTS,
                    )
                ]
    return []


def _judge_padding(
    subject: Subject, seed: int, usual: dict[str, float], measured: dict[str, JsonValue]
) -> list[Finding]:
    """Hide the last positions, change their contents, and compare the numbers."""
    inputs = subject.inputs
    primary = inputs.primary_argument
    if not inputs.padding or LENGTH not in primary.shape or not can_perturb(primary):
        return []
    mask = inputs.argument(inputs.padding)
    call = subject.make_call(seed=seed)
    tensor, axis = call.tensors[primary.name], primary.shape.index(LENGTH)
    length = tensor.shape[axis]
    if LENGTH not in mask.shape or mask.role not in ("mask", "hide_mask") or length <= _HIDDEN + 1:
        return []
    hidden = tuple(range(length - _HIDDEN, length))
    made = call.tensors[mask.name].clone()
    made.narrow(mask.shape.index(LENGTH), length - _HIDDEN, _HIDDEN).fill_(0 if mask.role == "mask" else 1)
    masked = call.with_argument(mask.name, made)
    changed = masked.with_argument(
        primary.name, replace_positions(primary, tensor, axis, hidden, seed=seed + 1)
    )
    before, after = (_read_scalars(subject, made_call, seed) for made_call in (masked, changed))
    moved = {
        path: abs(after[path] - value) / max(abs(value), 1e-12)
        for path, value in before.items()
        if path in after and path in usual
    }
    measured["change_by_padding"] = dict(moved)
    path = max(moved, key=lambda name: moved[name], default="")
    if not path or not moved[path] > _TOLERANCE:
        return []
    return [
        Finding(
            "T1-SCALAR-002",
            Severity.WARNING,
            f"Replacing the contents of {_HIDDEN} positions that `{mask.name}` hides changes the output `{path}` by "
            f"{moved[path]:.0%}.",
            "",
            {"output": path, "relative_change": moved[path]},
            "In this sum, multiply each token's term by the mask, and divide by the number of visible tokens.",
        )
    ]


CHECK = Check("T1-SCALAR", "scalar outputs", 1, run, needs=("parameter values",), cost_steps=0.4, value=48)

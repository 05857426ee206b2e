"""T1-GRAD, gradient flow: backward reaches everything the output depends on, with the right, finite gradient.

What it does: runs forward and backward of an objective that fits the output (cross entropy for logits, mean square
otherwise, over all differentiable outputs), in evaluation mode and once in training mode. Parameters that get no
gradient on three inputs are changed, to see whether the outputs depend on them (`gradient_starvation`). The derivative
along random directions is compared with finite differences (`gradient_agreement`).

Why it matters: a model with a detached branch or residual still trains, only worse, and nothing raises an exception.

Evidence: names of the parameters without gradient, the operation that cuts the graph, and gradient norms by module in
forward order.

Exemptions: modules that the forward does not use, experts that no token was routed to, parameters before a hard
choice, parameters multiplied by zero-initialised ones (LoRA, ReZero, adaLN-zero), key biases (softmax cancels them)
and frozen parameters give an info or nothing. A naive "grad is None" is wrong on 14 of 136 healthy language models,
and a gradient ratio over 1e3 on 40; neither is used.

Findings:
    T1-GRAD-001 error: a gradient is NaN or infinite although the outputs are finite.
    T1-GRAD-002 error: the output is not connected to any parameter.
    T1-GRAD-003 error: the outputs depend on a module that gets no gradient.
    T1-GRAD-004 error: a module is multiplied by zero.
    T1-GRAD-005 warning: the gradient of a module is exactly zero (saturated activation, dead ReLU).
    T1-GRAD-006 warning: one layer is never used, although others of its class are.
    T1-GRAD-007 info: parameters without gradient for a sound reason, which is given.
    T1-GRAD-008 error or warning or info: backward and finite differences disagree. A warning if a hand-written
        autograd.Function is involved, which may be an intended surrogate (YOSO); an info if transformers' own code cuts
        the gradient (box refinement), or a quantiser passes it straight through.
    T1-GRAD-009 warning: gradients vanish or explode monotonically over the depth.
    T1-GRAD-010 info: parameters are frozen.
    T1-GRAD-011 warning: one layer is frozen while the layers before and after it train.
    T1-GRAD-012 info: the forward raises in training mode without targets.
    T1-GRAD-013 info: backward covers only a part of a recurrence (truncated backpropagation).
    T1-GRAD-014 warning: no output depends on some parameters: the same part of every layer, a table that its own module
        does not use, or a position table that is never read.
    T1-GRAD-015 warning: an aligned block of a projection gets no gradient, so a part of a fused projection is unused.
    T1-GRAD-016 warning: a router chooses experts but is never trained.
    T1-GRAD-017 warning: some expert numbers never receive a token in any layer.

Source: transformers' model tester and PyTorch's gradcheck do parts of this per class or per function.
"""

from __future__ import annotations

import math
from itertools import pairwise

import torch
from torch import nn

from tierproof.checks.check import Check, CheckContext, CheckOutput
from tierproof.checks.claim import claim_error
from tierproof.checks.measurements.gradient_norms import GradientNorms, ModuleGradient
from tierproof.checks.tier1.gradient_flow.frozen_layers import BLOCK, judge_frozen
from tierproof.checks.tier1.gradient_flow.gradient_agreement import compare_gradients
from tierproof.checks.tier1.gradient_flow.gradient_starvation import find_starved, judge_starved
from tierproof.checks.tier1.gradient_flow.unused_parameters import (
    find_still_blocks,
    judge_idle_experts,
    judge_routing,
    judge_still_blocks,
)
from tierproof.core.finding import Finding, Severity
from tierproof.core.json_value import JsonValue
from tierproof.model.call.call import Call
from tierproof.model.call.larger_inputs import enlarge_assumed_size
from tierproof.model.compare.short_call import list_calls
from tierproof.model.describe.basis import Basis
from tierproof.model.gradients.gradient_pass import (
    GradientPass,
    clear_gradients,
    locate_broken_gradient,
    run_gradient_pass,
)

CODE = "T1-GRAD"
# Only what no healthy depth reaches: half of float32's exponent range, in one direction throughout.
_DEPTH_RATIO = 1e6
_INPUTS = 3


def check_gradient_flow(context: CheckContext) -> CheckOutput:
    """Audit the gradients; see the module's docstring."""
    subject = context.subject
    model = subject.model
    trainable = [name for name, parameter in model.named_parameters() if parameter.requires_grad]
    findings = judge_frozen(model)
    if not trainable:
        return CheckOutput(
            tuple(findings), {}, skipped="every parameter is frozen: there is no gradient to check"
        )
    model.eval()
    call = subject.make_call(seed=context.seed)
    try:
        passes = [run_gradient_pass(subject, call, context.seed)]
    except Exception as error:  # a backward of its own (Reformer's) may insist on training mode
        if not _trains(context, call):
            raise
        return CheckOutput(
            tuple(findings),
            {},
            skipped=f"backward raises in evaluation mode: {type(error).__name__}: {error}",
        )
    found, complete = _judge_pass(context, call, passes[0])
    findings += found
    audit: dict[str, JsonValue] = {"objective": passes[0].objective}
    if not complete:
        return CheckOutput(tuple(findings), audit)
    starved = find_starved(model, passes)
    while starved and len(passes) < _INPUTS:
        passes.append(_run_another(context, len(passes)))
        starved = find_starved(model, passes)
    if starved:
        findings += judge_starved(context, call, passes, starved)
    else:
        findings += judge_routing(model, passes[0], ())
    tokens = call.tensors[subject.inputs.primary].numel() if subject.inputs.primary in call.tensors else 0
    findings += judge_idle_experts(model, passes[0], tokens)
    findings += _judge_blocks(context, passes)
    known = {name for item in starved for name in item.names}
    for tried in list_calls(subject, context.seed):
        lost = _judge_training(context, tried, known)
        if not lost:
            break
    findings += lost
    model.eval()
    findings += _judge_depth(passes[0])
    excluded = frozenset(name for item in starved for name in item.names)
    if not any(finding.severity is Severity.ERROR for finding in findings):
        wrong, compared = _compare(context, call, passes[0], excluded)
        findings += wrong
        audit.update(compared)
    return CheckOutput(tuple(findings), GradientNorms(_measure_modules(model, passes[0]), audit))


def _compare(
    context: CheckContext, call: Call, first: GradientPass, excluded: frozenset[str]
) -> tuple[list[Finding], dict[str, JsonValue]]:
    """Compare with finite differences; what they show at an assumed size has to show at a larger one too."""
    subject = context.subject
    names = _order_names(subject.model, first)
    wrong, compared = compare_gradients(context, call, names, first.log, excluded, first.norms)
    loud = any(finding.severity is not Severity.INFO for finding in wrong)
    larger = enlarge_assumed_size(subject.inputs) if loud else None
    if larger is None:
        return wrong, compared
    try:
        other = larger.make(seed=context.seed, device=subject.device)
        second = run_gradient_pass(subject, other, context.seed)
    except Exception:  # noqa: BLE001 - no second way is there to ask
        clear_gradients(subject.model)
        return wrong, compared
    again, measured = compare_gradients(context, other, names, second.log, excluded, second.norms)
    return again, {
        **compared,
        "largest_relative_mismatch_of_a_larger_input": measured.get("largest_relative_mismatch"),
    }


def _trains(context: CheckContext, call: Call) -> bool:
    """Whether forward and backward run in training mode, at this or at the longest length."""
    subject = context.subject
    subject.model.train()
    for tried in (call, subject.make_call(length=subject.inputs.max_length, seed=context.seed)):
        try:
            run_gradient_pass(subject, tried, context.seed)
        except Exception:  # noqa: BLE001 - the answer to the question is no
            continue
        return True
    return False


def _judge_pass(context: CheckContext, call: Call, result: GradientPass) -> tuple[list[Finding], bool]:
    """Judge what one pass shows at once; False when nothing further can be asked."""
    if not result.answer_attached:
        finding = claim_error(
            f"{CODE}-002",
            "The output is not connected to any parameter by autograd, so no parameter can be trained.",
            where=_last_cut(result),
            evidence={
                "answer": context.subject.outputs.main or "output",
                "trainable_parameters": len(result.norms),
                "cuts": [f"{cut.operation}() in {cut.path or 'the model'}" for cut in result.log.cuts[-3:]],
            },
            hint="Remove `torch.no_grad()`, `.detach()` or `.item()` between the last layer and the `return`.",
            rests_on=Basis.ROLES,
        )
        return [finding], False
    if not result.finite:
        return [], False  # the forward itself is broken, which is T1-STAB's to tell
    broken = [name for name, norm in result.norms.items() if norm is not None and not math.isfinite(norm)]
    if not broken:
        return [], True
    where = locate_broken_gradient(context.subject, call, context.seed)
    finding = claim_error(
        f"{CODE}-001",
        f"The gradients of {len(broken)} of {len(result.norms)} parameters are NaN or infinite, although the outputs "
        "are finite.",
        where=where or broken[-1].rpartition(".")[0],
        evidence={"parameters": broken[:8], "objective": result.objective},
        hint="Add an epsilon to `sqrt`, `norm`, `log` or a division at zero, and clamp the input of a branch that "
        "`torch.where` discards.",
        rests_on=Basis.INPUTS,
    )
    return [finding], False


def _run_another(context: CheckContext, index: int) -> GradientPass:
    """A gradient pass on other values; the first of them on a larger input, where the size was assumed."""
    subject, seed = context.subject, context.seed + index
    larger = enlarge_assumed_size(subject.inputs) if index == 1 else None
    if larger is not None:
        try:
            # One row: at four times the size, each row of activations takes four times the memory.
            call = larger.make(batch=1 if larger.has_batch else None, seed=seed, device=subject.device)
            return run_gradient_pass(subject, call, context.seed)
        except Exception:  # noqa: BLE001 - then other values have to do
            clear_gradients(subject.model)
    return run_gradient_pass(subject, subject.make_call(seed=seed), context.seed)


def _judge_blocks(context: CheckContext, passes: list[GradientPass]) -> list[Finding]:
    """Blocks of rows without gradient, in as many inputs as parameters without any are tried on."""
    while len(passes) < _INPUTS and find_still_blocks(context.subject.model, passes):
        passes.append(_run_another(context, len(passes)))
    return judge_still_blocks(context.subject.model, passes)


def _last_cut(result: GradientPass) -> str:
    return result.log.cuts[-1].path if result.log.cuts else ""


def _judge_training(context: CheckContext, call: Call, known: set[str]) -> list[Finding]:
    """Run once in training mode: gradients that are lost or break only there."""
    model = context.subject.model
    # Running statistics move in training mode, and what follows compares with passes made before.
    kept = {name: buffer.detach().clone() for name, buffer in model.named_buffers()}
    model.train()
    try:
        trained = run_gradient_pass(context.subject, call, context.seed)
    except Exception as error:  # noqa: BLE001 - reported as a note: some models need targets to train
        return [
            Finding(
                f"{CODE}-012",
                Severity.INFO,
                f"The forward raises in training mode: {type(error).__name__}: {str(error)[:200]}",
                evidence={"inputs": call.describe()},
                hint="Pass `inputs=` with targets if training needs them. Only evaluation mode was checked.",
            )
        ]
    finally:
        with torch.no_grad():
            for name, buffer in model.named_buffers():
                if name in kept and kept[name].shape == buffer.shape:
                    buffer.copy_(kept[name])
    findings, complete = _judge_pass(context, call, trained)
    if not complete:
        return findings
    starved = [
        item
        for item in find_starved(model, [trained])
        if item.tick is not None
        and not known & set(item.names)
        and any(trained.norms[n] is None for n in item.names)
    ]
    if starved:
        lost = judge_starved(context, call, [trained], starved)
        findings += [finding for finding in lost if finding.severity is Severity.ERROR]
    return findings


def _judge_depth(result: GradientPass) -> list[Finding]:
    blocks: dict[str, dict[int, float]] = {}
    for name, norm in result.norms.items():
        match = BLOCK.match(name)
        if match and norm:
            sums = blocks.setdefault(match.group(1), {})
            sums[int(match.group(2))] = math.hypot(sums.get(int(match.group(2)), 0.0), norm)
    findings = []
    for prefix, norms in blocks.items():
        values = [norms[index] for index in sorted(norms)]
        if len(values) < 3:
            continue
        growth = [b / a for a, b in pairwise(values)]
        ratio = max(values) / min(values)
        if ratio > _DEPTH_RATIO and (min(growth) >= 1 or max(growth) <= 1):
            findings.append(_report_depth(prefix, sorted(norms), values, ratio))
    return findings


def _report_depth(prefix: str, indices: list[int], values: list[float], ratio: float) -> Finding:
    weakest = indices[values.index(min(values))]
    word = "vanish towards the input" if values[-1] > values[0] else "explode towards the input"
    return Finding(
        f"{CODE}-009",
        Severity.WARNING,
        f"Gradients {word} by a factor of {ratio:.1e} over {len(values)} layers.",
        where=f"{prefix}{weakest}",
        evidence={"gradient_norms": values, "ratio": ratio},
        hint="Add residual connections or normalisation between the layers, or change the scale of their "
        "initial weights.",
    )


def _order_names(model: nn.Module, result: GradientPass) -> list[str]:
    """Trainable parameters in order of first use; those that were not used are left out."""
    used = result.log.used
    names = [name for name, p in model.named_parameters() if p.requires_grad and id(p) in used]
    parameters = dict(model.named_parameters())
    return sorted(names, key=lambda name: used[id(parameters[name])])


def _measure_modules(model: nn.Module, result: GradientPass) -> tuple[ModuleGradient, ...]:
    """Gradient norm and size of every module that owns trainable parameters, in forward order."""
    owned: dict[str, list[str]] = {}
    for name in result.norms:
        owned.setdefault(name.rpartition(".")[0], []).append(name)
    sizes = {name: parameter.numel() for name, parameter in model.named_parameters()}
    position = {path: index for index, path in enumerate(result.entered)}
    return tuple(
        ModuleGradient(
            path=path,
            gradient_norm=math.hypot(*(result.norms[name] or 0.0 for name in owned[path])),
            parameters=sum(sizes[name] for name in owned[path]),
        )
        for path in sorted(owned, key=lambda path: position.get(path, len(position)))
    )


CHECK = Check(
    CODE,
    "gradient flow",
    1,
    check_gradient_flow,
    needs=("parameter values", "unquantised layers"),
    cost_steps=7.0,
    value=95,
)

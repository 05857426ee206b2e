"""T1-PAD: positions that a padding mask hides do not affect the outputs of visible positions.

What it does: hides the last, then the first few positions of an input, replaces their contents, and compares the
outputs at the visible positions. If these change, it finds out whether the mask is ignored, inverted or leaks; small
leaks are searched in each module. Then it pads on the right and on the left, and compares with the same input without
padding.

Why it matters: batches of unequal lengths are padded. If the mask is ignored or inverted, the output depends on
padding, and no loss curve shows it.

Evidence: the largest change at visible positions relative to the outputs' standard deviation, and the effect of the
mask.

Exemptions: models without a mask argument. Layers that mix neighbours without a mask (recurrent, state space,
convolutions along the sequence) and experts give only a warning. Families that mix padding in by design
(`_BY_DESIGN`), and outputs of a causal model that are pooled at the padding id, are left out. Left padding without
position ids changes every model with absolute positions. It is reported for rotary and other relative positions, and
for causal models that take a padding mask and no positions; transformers' own models leave positions to the caller.

Findings:
    T1-PAD-001 error or warning: the padding mask is ignored.
    T1-PAD-002 error or warning: the padding mask is inverted.
    T1-PAD-003 error or warning: the contents of hidden positions change visible outputs.
    T1-PAD-004 warning: left padding changes the outputs although positions are relative.
    T1-PAD-005 error: a mask that hides nothing changes the outputs.
    T1-PAD-006 error or warning: a row padded on the right gives a different output from the same row alone (a warning
        for transformers' own models and for layers that mix neighbours without a mask).
    T1-PAD-007 error or warning: visible outputs are NaN or infinite when positions are hidden (a warning for
        positions of a causal model that see hidden ones only).
    T1-PAD-008 warning: padding on the left shifts the positions of a causal model.

Source: exact for masked attention (Vaswani et al. 2017). Left padding changes 30 of 133 healthy transformers
models, so it is not an error.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from tierproof.checks.check import Check, CheckContext, CheckOutput
from tierproof.checks.claim import claim_error
from tierproof.checks.tier1.padding.masked_argument import find_other_masked
from tierproof.checks.tier1.padding.padding_shift import (
    check_left_padding,
    check_right_padding,
    judge_idle_mask,
    make_mask,
)
from tierproof.core.finding import Finding, Severity
from tierproof.core.json_value import JsonValue
from tierproof.model.call.call import Call
from tierproof.model.call.input_plan import LENGTH, Argument
from tierproof.model.call.perturb import can_perturb, replace_positions
from tierproof.model.call.propose.transformers_inputs import is_transformers_model
from tierproof.model.compare.comparison import measure_change
from tierproof.model.compare.locate import Violates, locate, locate_first_divergence, rows_of_batch
from tierproof.model.compare.steady_answer import Baseline, find_baseline
from tierproof.model.describe.basis import Basis
from tierproof.model.describe.subject import Subject
from tierproof.model.observe.module_watch import find_first, watch_modules
from tierproof.model.sizes.value_range import measure_range

_HIDDEN = 3
_WORDS = {"left": "left padding", "right": "right padding", "middle": "in the middle of the input"}
# What is left of the answers' spread by summing in another order; a smaller change is no sign of a leak.
_ROUNDING = 2e-6
# Families that read neighbours or hide by the ids themselves; their papers or their code say so.
_BY_DESIGN = {
    "cpmant": "masks positions with id 0 itself",
    "mobilebert": "joins the embeddings of neighbours",
    "yoso": "estimates attention by hashing, over all positions",
    "nystromformer": "convolves the values along the sequence",
    "funnel": "pools over neighbouring positions, padded and visible ones together",
    "convbert": "convolves along the sequence",
    "rwkv": "carries its state through every position",
    "recurrent_gemma": "carries its state through every position",
}


@dataclass(frozen=True)
class _Side:
    """One way of hiding: which positions, and what came of it."""

    name: str
    hidden: tuple[int, ...]
    visible: tuple[int, ...]
    masked: Call
    changed: Call
    leak: float
    effect: float


def run(context: CheckContext) -> CheckOutput:
    """Run the check."""
    subject = context.subject
    if idle := judge_idle_mask(subject, context.seed):
        return CheckOutput(tuple(idle))
    mask, content = _find_arguments(subject)
    if mask is None or content is None:
        return CheckOutput(skipped="the model takes no padding mask")
    model_type = str(getattr(getattr(subject.model, "config", None), "model_type", ""))
    if model_type in _BY_DESIGN:
        return CheckOutput(
            skipped=f"{model_type} {_BY_DESIGN[model_type]}, so padding affects the output by design"
        )
    if subject.traits.pooled and subject.traits.kind == "causal-lm":
        return CheckOutput(
            skipped="the model takes its output from the last visible token, which it finds from the ids, not from "
            "the mask"
        )
    if subject.traits.pooled and "?" in subject.outputs.axes:
        return CheckOutput(
            skipped="the output has other positions than the input, for example a class token before them"
        )
    base = find_baseline(subject, context.seed, batch=2)
    if isinstance(base, str):
        return CheckOutput(skipped=base)
    length = base.call.tensors[content.name].shape[content.shape.index(LENGTH)]
    if length <= _HIDDEN + 1:
        return CheckOutput(skipped="the model takes no sequence that is long enough to hide a part of it")

    return _compare(base, mask, content, length)


def _compare(base: Baseline, mask: Argument, content: Argument, length: int) -> CheckOutput:
    """Hide positions on either side, then pad on either side."""
    subject = base.answers.subject
    measured: dict[str, JsonValue] = {"mask": mask.name, "hidden_positions": _HIDDEN}
    sides: list[_Side] = []
    # A pooled answer may be read at the first or the last position: hide what lies between.
    for name in ("middle",) if subject.traits.pooled else ("right", "left"):
        side = _hide(base, mask, content, name, length)
        if side is not None:
            sides.append(side)
            if side.leak < math.inf:
                measured |= {f"{name}_leak": side.leak, f"{name}_mask_effect": side.effect}
    if not sides:
        return CheckOutput(
            measurements=measured, skipped=f"the model raises when `{mask.name}` hides positions"
        )
    if broken := next((side for side in sides if side.leak == math.inf), None):
        return CheckOutput((_report_broken(base, mask, broken),), measured)
    findings = _judge(base, mask, content, sides)
    if findings and (other := find_other_masked(base, content, sides[0].masked, sides[0].hidden)):
        return CheckOutput(
            measurements=measured,
            skipped=f"`{mask.name}` hides positions of `{other}`, not of `{content.name}`",
        )
    if not findings and not subject.traits.pooled:
        exact = not _is_unmasked(subject) and not is_transformers_model(subject.model)
        change, findings = check_right_padding(base, mask, _HIDDEN, length, exact=exact)
        measured["right_padding_change"] = change
    if not findings:
        findings += check_left_padding(base, mask, _HIDDEN, length, measured)
    return CheckOutput(tuple(findings), measured)


def _report_broken(base: Baseline, mask: Argument, side: _Side) -> Finding:
    """Report outputs that are finite until some positions are hidden, although others stay visible."""
    with watch_modules(base.answers.subject.model, measure_range) as observations:
        base.answers.forward(side.masked)
    first = find_first(observations, lambda values: values.sound, lambda values: not values.sound)
    # Under a causal mask, a position whose past is hidden sees nothing: that is a row without keys.
    exact = side.name != "left" or not base.answers.subject.traits.causal_measured
    return claim_error(
        "T1-PAD-007",
        f"The outputs at visible positions are NaN or infinite when `{mask.name}` hides {len(side.hidden)} positions "
        f"({_WORDS[side.name]}).",
        first.path if first is not None else "",
        {"hidden_positions": list(side.hidden)},
        "Add −inf to the scores before the softmax, not to the weights after it, and leave at least one key "
        "unmasked in each row.",
        rests_on=(Basis.INPUTS, Basis.PADDING_MASK),
        at_most=Severity.ERROR if exact else Severity.WARNING,
    )


def _is_unmasked(subject: Subject) -> bool:
    """Whether layers mix neighbours without a mask, which may be meant."""
    return _mixes_without_mask(subject.model) or subject.traits.recurrent or subject.traits.experts


def _find_arguments(subject: Subject) -> tuple[Argument | None, Argument | None]:
    """The padding mask and the argument whose positions it hides."""
    inputs = subject.inputs
    if not inputs.padding or not any(a.name == inputs.padding for a in inputs.arguments):
        return None, None
    mask = inputs.argument(inputs.padding)
    if mask.role not in ("mask", "hide_mask") or LENGTH not in mask.shape or mask.sample is not None:
        return None, None
    named = (inputs.primary_argument, *inputs.arguments)
    return mask, next((a for a in named if LENGTH in a.shape and can_perturb(a)), None)


def _hide(base: Baseline, mask: Argument, content: Argument, name: str, length: int) -> _Side | None:
    start = {"left": 0, "middle": (length - _HIDDEN) // 2, "right": length - _HIDDEN}[name]
    hidden = tuple(range(start, start + _HIDDEN))
    visible = tuple(i for i in range(length) if i not in hidden)
    masked = base.call.with_argument(mask.name, make_mask(base.call.tensors[mask.name], mask, hidden))
    axis = content.shape.index(LENGTH)
    replaced = replace_positions(
        content, base.call.tensors[content.name], axis, hidden, seed=base.answers.seed + 1
    )
    changed = masked.with_argument(content.name, replaced)
    answers = [base.answers.attempt(call) for call in (masked, changed)]
    if answers[0] is None or answers[1] is None:
        return None
    under_mask, under_change = (
        _take_visible(base, answer, visible) for answer in answers if answer is not None
    )
    if not bool(under_mask.isfinite().all()):
        return _Side(name, hidden, visible, masked, changed, math.inf, math.inf)
    leak = measure_change(under_mask, under_change)
    effect = measure_change(_take_visible(base, base.answer, visible), under_mask)
    return _Side(name, hidden, visible, masked, changed, leak, effect)


def _take_visible(base: Baseline, answer: Tensor, visible: tuple[int, ...]) -> Tensor:
    """The answer at visible positions; all of it where its positions are not those of the masked input."""
    outputs = base.answers.subject.outputs
    if LENGTH not in outputs.axes:
        return answer
    return answer.index_select(outputs.axes.index(LENGTH), torch.tensor(visible, device=answer.device))


def _judge(base: Baseline, mask: Argument, content: Argument, sides: list[_Side]) -> list[Finding]:
    worst = max(sides, key=lambda side: side.leak)
    if worst.leak <= base.tolerance and not (worst.leak > _ROUNDING and _leaks_inside(base, worst)):
        return []
    subject = base.answers.subject
    evidence: dict[str, JsonValue] = {
        "relative_change": worst.leak,
        "tolerance": base.tolerance,
        "mask_effect": max(side.effect for side in sides),
        "hidden_positions": list(worst.hidden),
    }
    unmasked = _is_unmasked(subject)
    pooled_by_id = subject.traits.pooled and is_transformers_model(subject.model)
    severity = Severity.WARNING if unmasked or pooled_by_id else Severity.ERROR
    note = " Some layers mix neighbours without a mask, which may be intended." if unmasked else ""
    length = len(worst.hidden) + len(worst.visible)
    if max(side.effect for side in sides) <= base.tolerance / 100:
        return [
            claim_error(
                "T1-PAD-001",
                f"The padding mask `{mask.name}` is ignored: hiding positions changes nothing, and the contents of "
                f"hidden positions change the outputs at visible ones by {worst.leak:.2g} standard deviations.{note}",
                _locate_ignored(base, worst, length),
                evidence,
                f"Pass `{mask.name}` to every attention, add −inf to the scores of hidden keys, and leave "
                "hidden positions out of means and pooling.",
                rests_on=(Basis.ROLES, Basis.PADDING_MASK),
                at_most=severity,
            )
        ]
    where = _locate_leak(base, worst, length)
    if worst.leak > base.tolerance and _is_inverted(base, content, worst):
        return [
            claim_error(
                "T1-PAD-002",
                f"The padding mask `{mask.name}` is inverted: when {'0' if mask.role == 'mask' else 'True'} marks "
                "padding, the model hides the visible positions and reads the padding.",
                where,
                evidence,
                "Invert the mask where you pass it to attention. `attention_mask` is 1 for visible positions, "
                "`key_padding_mask` is True for hidden ones, and a bool mask of `scaled_dot_product_attention` is "
                "True for visible ones.",
                rests_on=(Basis.ROLES, Basis.PADDING_MASK),
                at_most=severity,
            )
        ]
    return [
        claim_error(
            "T1-PAD-003",
            f"Padding leaks: the contents of hidden positions ({_WORDS[worst.name]}) change the outputs at visible "
            f"ones by {worst.leak:.2g} standard deviations, although `{mask.name}` has an effect.{note}",
            where,
            evidence,
            "Mask padded keys in every layer, and leave padded positions out of means, norms and pooling.",
            rests_on=(Basis.ROLES, Basis.PADDING_MASK),
            at_most=severity,
        )
    ]


def _leaks_inside(base: Baseline, side: _Side) -> bool:
    """Whether a leak that the answers drown shows at the module in which it happens: a mask that is too faint."""
    if base.answers.subject.traits.experts or base.answer.dtype not in (torch.float32, torch.float64):
        return False
    length = len(side.hidden) + len(side.visible)
    return bool(
        locate_first_divergence(
            base.answers.subject.model.eval(),
            side.masked,
            side.changed,
            _visible_positions(side, length, base.tolerance / 100),
            _visible_positions(side, length, base.tolerance),
            seed=base.answers.seed,
        )
    )


def _mixes_without_mask(model: nn.Module) -> bool:
    return any(
        isinstance(module, nn.RNNBase) or (isinstance(module, nn.Conv1d) and module.kernel_size[0] > 1)
        for module in model.modules()
    )


def _is_inverted(base: Baseline, content: Argument, side: _Side) -> bool:
    """Under an inverted mask, the contents of a visible position move no other visible position."""
    subject = base.answers.subject
    tensor = side.masked.tensors[content.name]
    first = side.visible[0]
    axis = content.shape.index(LENGTH)
    call = side.masked.with_argument(
        content.name, replace_positions(content, tensor, axis, (first,), seed=base.answers.seed + 2)
    )
    others = side.visible[1:] if LENGTH in subject.outputs.axes else side.visible
    change = measure_change(
        _take_visible(base, base.answers(side.masked), others),
        _take_visible(base, base.answers(call), others),
    )
    return change <= base.tolerance


def _locate_leak(base: Baseline, side: _Side, length: int) -> str:
    return locate_first_divergence(
        base.answers.subject.model.eval(),
        side.masked,
        side.changed,
        _visible_positions(side, length, base.tolerance / 100),
        seed=base.answers.seed,
    )


def _visible_positions(side: _Side, length: int, tolerance: float) -> Violates:
    """Violated when visible positions differ; like a batch of `length` rows, which is what positions are here.

    Features of another length (a decoder's) hold no hidden position: all of them count.
    """

    def differ(a: Tensor, b: Tensor) -> bool:
        return measure_change(a, b) > tolerance

    visible = rows_of_batch(side.visible, side.visible, length, differ)

    def violates(a: Tensor, b: Tensor) -> bool:
        if a.dim() == 3 and a.is_floating_point() and all(size % length for size in a.shape):
            return differ(a, b)
        return visible(a, b)

    return violates


def _locate_ignored(base: Baseline, side: _Side, length: int) -> str:
    """The innermost module that is given the mask and gives the same output under it."""
    where = locate(
        base.answers.subject.model.eval(),
        base.call,
        side.masked,
        lambda inputs, outputs: (
            any(measure_change(a, b) > 0 for a, b in inputs)
            and bool(outputs)
            and all(measure_change(a, b) == 0 for a, b in outputs)
        ),
        seed=base.answers.seed,
    )
    return where or _locate_leak(base, side, length)


CHECK = Check(
    "T1-PAD", "padding", 1, run, needs=("parameter values", "unquantised layers"), cost_steps=0.5, value=80
)

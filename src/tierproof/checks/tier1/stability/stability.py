"""T1-STAB, output stability: in evaluation mode the output is finite, repeatable and depends on the input.

What it does: runs one input twice with different random states, and once more after another input; compares the
caller's tensors before and after; runs several inputs in one batch; tries extreme inputs, length 1, fully masked
rows, and the ids of padding and start that the model declares; runs once in bfloat16 and in float16 autocast and, up to
50 M parameters, on a float16 copy.

Why it matters: dropout that stays on in evaluation, a counter that carries over from call to call or a NaN in one
masked row spoils results that look fine.

Evidence: counts of NaN and Inf, largest differences relative to the output's standard deviation, and the innermost
module whose inputs are sound and whose output is not.

Exemptions: -inf in the output (an excluded class) and rounding noise between runs are not reported. Models that
sample in evaluation (`sampling.py`, `_RANDOM_BY_DESIGN`), and outputs that are constant because parameters are exactly
zero, get an info. NaN only in fully masked rows is a warning (nn.MultiheadAttention with need_weights=True:
pytorch#41508). Overflow in float16 is a warning only if the float32 activation itself exceeds 65,504; other float16
failures come from mask constants and are only measured.

Findings:
    T1-STAB-001 error or warning: NaN or Inf in the outputs (a warning if it is not in the main output).
    T1-STAB-002 error or warning: two runs differ because of random numbers: dropout in evaluation (a warning if normal
        noise of a fixed strength is added, and the outputs are not logits of tokens).
    T1-STAB-003 error: two runs differ because of state that is kept between calls.
    T1-STAB-004 error: the forward changes the caller's tensors.
    T1-STAB-005 error: different inputs give bit-equal outputs.
    T1-STAB-006 warning: all positions give bit-equal outputs.
    T1-STAB-007 error or warning: a valid token id raises or gives NaN (a warning if it does so only in a sequence
        without any other id).
    T1-STAB-008 warning: zeros or large inputs give NaN or Inf.
    T1-STAB-009 error: a fully masked row spoils other rows.
    T1-STAB-010 warning: a fully masked row, or one of nothing but padding, gives NaN.
    T1-STAB-011 warning: NaN or Inf in bfloat16 although float32 is finite.
    T1-STAB-012 warning: activations exceed float16's range.
    T1-STAB-013 error: NaN or Inf at length 1.
    T1-STAB-014 info or warning: outputs are random or constant by design (a warning if all rows of the token table are
        zero).
    T1-STAB-016 warning: activations grow a thousandfold with the length.
    T1-STAB-017 warning: a branch is added to values so much larger that rounding removes it.
    T1-STAB-018 error: padding behind a sequence gives NaN or Inf at other positions.
    T1-STAB-019 error: the declared start token of a decoder, or targets without the decoder's tokens, give NaN or Inf.

Source: Lightning bolts and transformers' model tester check parts of this; the rest are exact invariants.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import torch
from torch import Tensor

from tierproof.checks.check import Check, CheckContext, CheckOutput
from tierproof.checks.claim import claim_error
from tierproof.checks.tier1.stability.collapse import report_collapse
from tierproof.checks.tier1.stability.declared_tokens import judge_declared_tokens
from tierproof.checks.tier1.stability.lost_branches import judge_lost_branches
from tierproof.checks.tier1.stability.sampling import Randomness, judge_randomness
from tierproof.checks.tier1.stability.stability_extremes import (
    judge_extremes,
    judge_length_one,
    judge_masked_rows,
)
from tierproof.checks.tier1.stability.stability_growth import judge_growth
from tierproof.checks.tier1.stability.stability_precision import judge_given_precision, judge_precision
from tierproof.core.finding import Cause, Finding, Severity
from tierproof.core.json_value import JsonValue
from tierproof.model.call.call import Call
from tierproof.model.call.stray_dropout import without_stray_dropout
from tierproof.model.compare.repeat_probe import find_divergence, watch_writes
from tierproof.model.compare.short_call import make_short_call
from tierproof.model.describe.basis import Basis
from tierproof.model.describe.subject import Subject
from tierproof.model.gradients.objective import collect_answers
from tierproof.model.observe.module_watch import find_first, watch_modules
from tierproof.model.sizes.value_range import ValueRange, measure_range

CODE = "T1-STAB"
# Threads may sum in another order from run to run; dropout and counters move answers by far more.
_NOISE = {torch.float64: 1e-9, torch.float32: 1e-5, torch.bfloat16: 5e-2, torch.float16: 1e-2}
# transformers' model types that draw random numbers in evaluation: hashing, masking and sampling by design.
_RANDOM_BY_DESIGN = {
    "reformer": "its attention uses random rotations to hash",
    "vit_mae": "it masks random patches",
    "vits": "it samples durations and latents",
    "speecht5": "its prenet keeps dropout on",
    "univnet": "it draws noise",
    "vibevoice_acoustic_tokenizer": "it samples its latents",
    "timesformer_mae": "it masks random patches",
}
_ROWS = 4


def check_stability(context: CheckContext) -> CheckOutput:
    """Judge the answers in evaluation mode; see the module's docstring."""
    subject = context.subject
    subject.model.eval()
    measurements: dict[str, JsonValue] = {}
    with torch.no_grad():
        call = subject.make_call(seed=context.seed)
        torch.manual_seed(context.seed)
        output, findings = _judge_writes(subject, call)
        findings += _judge_finite(subject, call, output, measurements)
        if not findings or all(f.code != f"{CODE}-001" for f in findings):
            steps: list[Callable[[], list[Finding]]] = [
                lambda: _judge_own_dropout(context, make_short_call(subject, context.seed), measurements),
                lambda: _judge_variety(context, measurements),
                lambda: judge_extremes(context),
                lambda: judge_length_one(context),
                lambda: judge_masked_rows(context, measurements),
                lambda: judge_declared_tokens(context),
                lambda: judge_growth(context, measurements),
                lambda: judge_given_precision(context),
                lambda: judge_precision(context, call, measurements),
                lambda: judge_lost_branches(context, measurements),
            ]
            for step in steps:
                if context.deadline.expired:
                    measurements["stopped"] = "no time left"
                    break
                findings += step()
            findings += _judge_hidden(context, call, findings)
    return CheckOutput(tuple(findings), measurements)


def _collect(output: object) -> dict[str, Tensor]:
    return {path: tensor.clone() for path, tensor in collect_answers(output).items()}


def _judge_writes(subject: Subject, call: Call) -> tuple[object, list[Finding]]:
    """Run on originals and see whether they are still what they were."""
    given = {name: tensor.clone() for name, tensor in call.tensors.items()}
    output = call.run_on(subject.model, {**call.arguments, **given})
    written = [name for name, tensor in given.items() if not torch.equal(tensor, call.tensors[name])]
    if not written:
        return output, []
    fresh = {name: tensor.clone() for name, tensor in call.tensors.items()}
    with watch_writes(subject.model, list(fresh.values())) as writers:
        call.run_on(subject.model, {**call.arguments, **fresh})
    finding = claim_error(
        f"{CODE}-004",
        f"The forward changes the caller's {', '.join(f'`{name}`' for name in written)} in place.",
        where=writers[0] if writers else "",
        evidence={"arguments": written},
        hint="Clone the tensor first, or use the operation without the trailing underscore.",
        rests_on=Basis.RUN,
    )
    # What it returned may come from a changed input: the answers of clean clones count from here on.
    return call.run(subject.model), [finding]


def _judge_finite(
    subject: Subject, call: Call, output: object, measurements: dict[str, JsonValue]
) -> list[Finding]:
    answers = collect_answers(output)
    ranges = {path: measure_range([tensor]) for path, tensor in answers.items()}
    measurements["largest_output"] = max((r.largest for r in ranges.values()), default=0.0)
    broken = {path: r for path, r in ranges.items() if not r.sound}
    if not broken:
        return []
    path, found = next(iter(broken.items()))
    matters = subject.outputs.main in broken or subject.outputs.loss in broken
    return [
        claim_error(
            f"{CODE}-001",
            f"{f'The output `{path}`' if path else 'The output'} contains {found.nan} NaN and "
            f"{found.positive_infinity} Inf.",
            where=locate_unsound(subject, call),
            evidence={"output": path, "nan": found.nan, "infinite": found.positive_infinity},
            hint="In this module, guard divisions by zero, `log(0)`, overflowing `exp` and fully masked softmax rows.",
            rests_on=Basis.INPUTS,
            at_most=Severity.ERROR if matters else Severity.WARNING,
        )
    ]


def locate_unsound(subject: Subject, call: Call) -> str:
    """The innermost module whose inputs are sound and whose output holds NaN or +inf."""
    with watch_modules(subject.model, measure_range) as observations:
        subject.forward(call)
    first = find_first(observations, _is_sound, lambda r: not r.sound)
    return first.path if first is not None else ""


def _is_sound(values: ValueRange) -> bool:
    return values.sound


def _judge_repeats(
    context: CheckContext, call: Call, base: dict[str, Tensor], measurements: dict[str, JsonValue]
) -> list[Finding]:
    """The same input with another random state, and again after another input."""
    subject, seed = context.subject, context.seed

    def run(number: int) -> object:
        torch.manual_seed(seed + number)
        return subject.forward(call)

    second = measure_difference(base, _collect(run(1)))
    measurements["repeat_difference"] = second
    if second > _tolerate(base):
        repeatable = measure_difference(_collect(run(0)), _collect(run(0))) <= _tolerate(base)
        where = find_divergence(subject.model, lambda: run(0), lambda: run(int(repeatable)))
        return [_report_difference(subject, second, where or "", random=repeatable)]
    _run_another(subject, seed)
    third = measure_difference(base, _collect(run(0)))
    measurements["return_difference"] = third
    if third <= _tolerate(base):
        return []
    _run_another(subject, seed)
    # The first of the two follows another input, the second follows itself.
    where = find_divergence(subject.model, lambda: run(0), lambda: run(0))
    return [_report_difference(subject, third, where or "", random=False)]


def _judge_own_dropout(
    context: CheckContext, call: Call, measurements: dict[str, JsonValue]
) -> list[Finding]:
    """Whether answers repeat with the dropout that the model's own code draws."""
    with without_stray_dropout(False):
        torch.manual_seed(context.seed)
        base = _collect(context.subject.forward(call))
        return _judge_repeats(context, call, base, measurements)


def _judge_hidden(context: CheckContext, call: Call, findings: list[Finding]) -> list[Finding]:
    """Whether the model is unsteady only because `eval()` does not reach layers that are not registered."""
    subject, codes = context.subject, {finding.code for finding in findings}
    if not subject.hidden or codes & {f"{CODE}-002", f"{CODE}-003"}:
        return []
    with subject.hidden.as_written():
        subject.model.eval()
        found = _judge_own_dropout(context, call, {})
    cause = Cause("T1-REG-001", subject.hidden.owner)
    return [replace(one, where=cause.where, hint=cause.advice, follows_from=cause) for one in found]


def _run_another(subject: Subject, seed: int) -> None:
    """Run an input of other values and, where that works, of another length."""
    length = subject.inputs.clip_length(max(1, subject.inputs.default_length // 2))
    try:
        subject.forward(subject.make_call(length=length, seed=seed + 1))
    except Exception:  # noqa: BLE001 - a length that raises is T1-SHAPE's finding
        subject.forward(subject.make_call(seed=seed + 1))


def _tolerate(base: dict[str, Tensor]) -> float:
    return max((_NOISE.get(tensor.dtype, 1e-5) for tensor in base.values()), default=1e-5)


def measure_difference(base: dict[str, Tensor], other: dict[str, Tensor]) -> float:
    """The largest difference of any answer, relative to its spread; infinite when shapes differ."""
    worst = 0.0
    for path, tensor in base.items():
        moved = other.get(path)
        if moved is None or moved.shape != tensor.shape:
            return float("inf")
        if torch.equal(tensor, moved):
            continue
        here, there = tensor.detach(), moved.detach()
        if here.is_complex():
            here, there = torch.view_as_real(here), torch.view_as_real(there)
        if bool((here.isfinite() != there.isfinite()).any()):
            return float("inf")
        kept = here.isfinite()
        a, b = here[kept].double(), there[kept].double()
        if a.numel() == 0:
            continue
        unit = max(float(a.std()) if a.numel() > 1 else 0.0, 1e-3 * float(a.abs().max()), 1e-12)
        worst = max(worst, float((a - b).abs().max()) / unit)
    return worst


def _report_difference(subject: Subject, difference: float, where: str, *, random: bool) -> Finding:
    design = _RANDOM_BY_DESIGN.get(getattr(getattr(subject.model, "config", None), "model_type", ""))
    randomness = judge_randomness(subject) if random and not design else None
    if randomness is Randomness.SAMPLES:
        design = "the forward samples (noise whose strength it computes, a random start, or random indices)"
    if random and design:
        return Finding(
            f"{CODE}-014",
            Severity.INFO,
            f"Two runs on the same input differ by design: {design}.",
            where=where,
            evidence={"relative_difference": difference},
            hint="Call `torch.manual_seed` before each run that you compare.",
        )
    message = "draws random numbers in evaluation mode" if random else "keeps state between calls"
    noisy = randomness is Randomness.ADDS_NOISE
    hint = (
        "Pass `training=self.training` to `F.dropout`, and draw noise only in training mode."
        if random
        else "In evaluation mode, do not let the forward change counters, caches or buffers."
    )
    return claim_error(
        f"{CODE}-002" if random else f"{CODE}-003",
        f"The same input gives two different outputs: {f'`{where}`' if where else 'the model'} {message}.",
        where=where,
        evidence={"relative_difference": difference},
        hint=f"If the model is meant to sample, call `torch.manual_seed` before each call. {hint}"
        if noisy
        else hint,
        rests_on=Basis.RUN,
        at_most=Severity.WARNING if noisy else Severity.ERROR,
    )


def _judge_variety(context: CheckContext, measurements: dict[str, JsonValue]) -> list[Finding]:
    """Judge inputs, then positions, that differ but give the same output."""
    subject = context.subject
    plan = subject.inputs
    if not plan.has_batch or subject.outputs.batch_axis is None or plan.primary_argument.sample is not None:
        return []
    try:
        call = subject.make_call(batch=_ROWS, seed=context.seed)
        answer = subject.answer(call)
    except Exception:  # noqa: BLE001 - a batch that raises is T1-SHAPE's finding
        return []
    given = call.tensors[plan.primary].unbind(plan.batch_axis)
    rows = answer.unbind(subject.outputs.batch_axis)
    if any(torch.equal(given[0], other) for other in given[1:]) or len(rows) != _ROWS:
        return []
    wide = torch.complex128 if answer.is_complex() else torch.float64
    measurements["answer_spread_over_inputs"] = float(
        (answer.to(wide) - rows[0].unsqueeze(subject.outputs.batch_axis).to(wide)).abs().max()
    )
    if all(torch.equal(rows[0], row) for row in rows[1:]):
        return [report_collapse(context, call, _ROWS)]
    return _judge_positions(subject, call, answer)


def _judge_positions(subject: Subject, call: Call, answer: Tensor) -> list[Finding]:
    plan, outputs = subject.inputs, subject.outputs
    follows = "length" in outputs.axes and plan.has_length and plan.primary_argument.role == "tokens"
    if not follows or answer.shape[outputs.length_axis] < 3:
        return []
    positions = answer.unbind(outputs.length_axis)
    tokens = call.tensors[plan.primary].unbind(plan.length_axis)
    if all(torch.equal(tokens[0], other) for other in tokens[1:]):
        return []
    if any(not torch.equal(positions[0], other) for other in positions[1:]):
        return []
    return [
        Finding(
            f"{CODE}-006",
            Severity.WARNING,
            f"All {len(positions)} positions give bit-equal outputs, although their tokens differ.",
            evidence={"positions": len(positions)},
            hint="Look for a value that is averaged over all positions and then copied to each of them, or for a "
            "softmax over the wrong axis (use `dim=-1`).",
        )
    ]


CHECK = Check(
    CODE, "output stability", 1, check_stability, needs=("parameter values",), cost_steps=1.3, value=92
)

"""T1-MEM: what training needs memory for, and what another batch size or length would need.

What it does: measures parameters (ties once), buffers, gradients, the optimizer's state, and what autograd keeps for
backward, in training mode with a loss that fits the model. Then it predicts other sizes.

Why it matters: most of the memory of training is activations, which no parameter count shows (torchinfo issue 144:
130 MB counted, 4,044 MB used).

Evidence: parameters and buffers are counted by storage; gradients and activations are measured in one forward and
backward pass; the optimizer's state is a fixed number of copies of each trainable parameter. Activations are fitted as
a combination of 1, B, T, B·T, B·T² and T² to forward passes at small sizes, and the fit is tested at a size that it
has not seen. If the test fails, nothing is predicted and the reason is given.

Exemptions: none. Parameters on meta take no memory; what they would take is counted. A model without trainable
parameters has no gradients, optimizer state or activations.

Findings:
    T1-MEM-001 warning: one AdamW step takes more memory than the device has.
    T1-MEM-002 info: large buffers have the same values.
    T1-MEM-003 info: memory at other sizes cannot be predicted; the reason is given.
    T1-MEM-004 info: parameters are not trainable, so they take no gradients and no optimizer state.
    T1-MEM-005 warning: activations grow faster than the length, although the model is recurrent.

Source: PyTorch's saved-tensor hooks; Kingma and Ba 2014 for the optimizer's two copies.
"""

from __future__ import annotations

from dataclasses import replace
from itertools import product

import torch
from torch import Tensor, nn

from tierproof.checks.check import Check, CheckContext, CheckOutput
from tierproof.checks.measurements.memory_use import ForecastCell, MemoryUse
from tierproof.core.finding import Finding, Severity
from tierproof.core.json_value import JsonValue
from tierproof.model.call.call import raised_in_a_call
from tierproof.model.costs.activation_fit import ActivationFit, Measured, fit_activations
from tierproof.model.costs.optimizer_state import OPTIMIZERS, count_optimizer_state_bytes
from tierproof.model.costs.training_memory import TrainingMemory, measure_activations, measure_training_memory
from tierproof.model.describe.subject import Subject
from tierproof.model.sizes.device_memory import find_device_memory_bytes
from tierproof.model.sizes.parameter_count import ParameterCount, count_parameters

# A sum of products of axes fits exactly; what misses by more has steps, thresholds or data in it.
WORST_FIT_ERROR = 0.01
# A recurrence keeps as much for each step; what is fitted at small sizes leaves room for a constant part.
MOST_RECURRENT_EXPONENT = 1.3
# Equal buffers below this are not worth a line.
DUPLICATE_BYTES = 8 << 20
FORECAST_BATCHES = (1, 2, 4, 8, 16, 32)
FORECAST_LENGTHS = (128, 512, 1024, 2048)
_FIT_LENGTHS = (8, 16, 32)
# Not one: a batch of one is expanded without a copy, and batch norm refuses it in training mode.
_FIT_BATCHES = (2, 3)


def run(context: CheckContext) -> CheckOutput:
    """Measure the memory of one training step and predict others."""
    subject = context.subject
    subject.model.train()
    count = count_parameters(subject.model)
    call = subject.make_call(seed=context.seed)
    try:
        measured = measure_training_memory(subject, call)
    except Exception as error:
        if not raised_in_a_call(error):
            raise
        return CheckOutput(skipped=f"a training step raised {type(error).__name__}: {error} (see T1-GRAD)")
    subject.model.zero_grad(set_to_none=True)
    optimizer_bytes = {name: count_optimizer_state_bytes(subject.model, name) for name in OPTIMIZERS}
    breakdown = {
        "parameters": count.parameter_bytes,
        "buffers": count.buffer_bytes,
        "gradients": measured.gradients,
        "optimizer": optimizer_bytes["adamw"],
        "activations": measured.activations,
    }
    fit, reason = _fit(context, measured)
    use = _describe(subject, count, measured, breakdown, optimizer_bytes)
    findings = [
        *_find_over_device_memory(subject, sum(breakdown.values())),
        *_find_duplicate_buffers(subject),
        *_note_frozen(count),
    ]
    if fit is None:
        findings.append(_note_no_forecast(reason))
        return CheckOutput(tuple(findings), replace(use, fit={"forecast_unavailable": reason}))
    fixed = count.bytes + count.trainable_bytes + optimizer_bytes["adamw"]
    cells = _forecast(subject, fit, fixed)
    longest = max(cell.length or subject.inputs.default_length for cell in cells)
    exponent = fit.length_exponent(subject.inputs.default_batch, longest)
    findings += _judge_growth(subject, exponent)
    return CheckOutput(tuple(findings), replace(use, forecast=cells, fit=_describe_fit(fit, exponent)))


def _describe(
    subject: Subject,
    count: ParameterCount,
    measured: TrainingMemory,
    breakdown: dict[str, int],
    optimizer_bytes: dict[str, int],
) -> MemoryUse:
    predicted = sum(breakdown.values())
    peak = breakdown["parameters"] + breakdown["buffers"] + breakdown["optimizer"] + measured.peak
    details: dict[str, JsonValue] = {
        "parameters": count.parameters,
        "trainable": count.trainable,
        "tied": [list(names) for names in count.ties],
        "optimizer_bytes": dict(optimizer_bytes),
        "activations_by_module_bytes": dict(list(measured.by_module.items())[:12]),
        "batch": subject.inputs.default_batch,
        "length": subject.inputs.default_length if subject.inputs.has_length else None,
        "peak_relative_error": (predicted - peak) / peak if peak else 0.0,
        "peak_source": measured.source,
        "device_memory_bytes": find_device_memory_bytes(subject.device),
    }
    if subject.device.type == "meta":
        details["on_meta"] = "counted for attention that is not fused; fused attention stores less"
    return MemoryUse(
        breakdown_bytes=dict(breakdown),
        peaks={
            "measured_peak_bytes": peak,
            "activation_bytes": measured.activations,
            "predicted_peak_bytes": predicted,
        },
        details=details,
    )


def _fit(context: CheckContext, measured: TrainingMemory) -> tuple[ActivationFit | None, str]:
    """The fit, or None and why there is none."""
    if context.deadline.expired:
        return None, "the time budget was used up"
    subject = context.subject
    plan = subject.inputs
    default = Measured(plan.default_batch, plan.default_length, measured.activations)
    batches = _FIT_BATCHES if plan.has_batch else (plan.default_batch,)
    try:
        points = [_measure(context, *size) for size in product(batches, _choose_lengths(subject))]
        held_out = default
        if (default.batch, default.length) in {(point.batch, point.length) for point in points}:
            held_out = _measure(context, *_choose_held_out(subject))
    except Exception as error:  # noqa: BLE001 - reported as T1-MEM-003: the shape check judges sizes
        return None, f"a forward pass at another size raised {type(error).__name__}: {error}".splitlines()[0]
    fit = fit_activations(points, held_out)
    if fit.relative_error <= WORST_FIT_ERROR:
        return fit, ""
    return None, (
        f"the activations measured at batch {held_out.batch} × length {held_out.length} differ by "
        f"{fit.relative_error:.1%} from a formula in 1, B, T, B·T, B·T² and T² (batch size B, length T) that was "
        "fitted to other sizes"
    )


def _choose_lengths(subject: Subject) -> tuple[int, ...]:
    """Three small lengths that the model accepts; one where it has no length to vary."""
    plan = subject.inputs
    if not plan.has_length:
        return (plan.default_length,)
    longest = plan.clip_length(_FIT_LENGTHS[-1])
    wanted = _FIT_LENGTHS if longest == _FIT_LENGTHS[-1] else (longest // 4, longest // 2, longest)
    return tuple(sorted({plan.clip_length(max(1, length)) for length in wanted}))


def _choose_held_out(subject: Subject) -> tuple[int, int]:
    """A size that is not among the fitted ones, for when the default is."""
    plan = subject.inputs
    length = plan.clip_length(plan.default_length + 5) if plan.has_length else plan.default_length
    return (_FIT_BATCHES[-1] + 1 if plan.has_batch else plan.default_batch), length


def _measure(context: CheckContext, batch: int, length: int) -> Measured:
    call = context.subject.make_call(batch=batch, length=length, seed=context.seed)
    return Measured(batch, length, measure_activations(context.subject, call))


def _forecast(subject: Subject, fit: ActivationFit, fixed_bytes: int) -> tuple[ForecastCell, ...]:
    plan = subject.inputs
    lengths = {plan.default_length}
    if plan.has_length:
        lengths |= {plan.clip_length(length) for length in FORECAST_LENGTHS}
    batches = FORECAST_BATCHES if plan.has_batch else (plan.default_batch,)
    return tuple(
        ForecastCell(
            batch=batch,
            length=length if plan.has_length else None,
            activation_bytes=fit.predict(batch, length),
            training_bytes=fixed_bytes + fit.predict(batch, length),
        )
        for length, batch in product(sorted(lengths), batches)
    )


def _describe_fit(fit: ActivationFit, exponent: float) -> dict[str, JsonValue]:
    return {
        "activation_bytes_per_term": dict(fit.coefficients),
        "fit_points": [[p.batch, p.length, p.bytes] for p in fit.points],
        "fit_held_out": [fit.held_out.batch, fit.held_out.length, fit.held_out.bytes],
        "fit_relative_error": fit.relative_error,
        "length_exponent_at_longest": exponent,
    }


def _judge_growth(subject: Subject, exponent: float) -> list[Finding]:
    """Judge a recurrent model without attention: it need not keep anything for each pair of positions."""
    attends = any(item.trait == "attention" for item in subject.traits.evidence)
    if not subject.traits.recurrent or attends:
        return []
    if exponent <= MOST_RECURRENT_EXPONENT:
        return []
    return [
        Finding(
            code="T1-MEM-005",
            severity=Severity.WARNING,
            message=f"The memory for activations grows as the length to the power of {exponent:.2g}, although the "
            "model is recurrent.",
            evidence={"length_exponent": exponent, "usual_exponent": 1.0},
            hint="Remove matrices of all positions by all positions, and do not keep the full state of every step.",
        )
    ]


def _find_over_device_memory(subject: Subject, predicted_bytes: int) -> list[Finding]:
    memory = find_device_memory_bytes(subject.device)
    if memory is None or predicted_bytes <= memory:
        return []
    plan = subject.inputs
    return [
        Finding(
            code="T1-MEM-001",
            severity=Severity.WARNING,
            message=(
                f"One AdamW training step at batch {plan.default_batch} takes "
                f"{predicted_bytes / 2**30:.1f} GiB, but this device has {memory / 2**30:.1f} GiB."
            ),
            evidence={"predicted_bytes": predicted_bytes, "device_memory_bytes": memory},
            hint="Train fewer parameters, in bfloat16 or with gradient checkpointing, or use a larger device.",
        )
    ]


def _find_duplicate_buffers(subject: Subject) -> list[Finding]:
    """Find equal buffers on separate storages: one would be enough."""
    findings = []
    for name, first, copies in _group_equal_buffers(subject.model):
        wasted = copies * first.nbytes
        if wasted >= DUPLICATE_BYTES:
            findings.append(
                Finding(
                    code="T1-MEM-002",
                    severity=Severity.INFO,
                    message=f"{copies} buffer(s) have the same values as `{name}` and waste {wasted / 2**20:.0f} MiB.",
                    where=name.rpartition(".")[0],
                    evidence={"copies": copies, "wasted_bytes": wasted},
                    hint="Create the tensor once and share it: register the same tensor in every layer, or "
                    "only on the model.",
                )
            )
    return findings


def _group_equal_buffers(model: nn.Module) -> list[tuple[str, Tensor, int]]:
    """(name, buffer, number of equal buffers on other storages) for each distinct buffer."""
    groups: list[tuple[str, Tensor, int]] = []
    storages: set[int] = set()
    for name, buffer in model.named_buffers():
        if buffer.layout is not torch.strided or buffer.device.type == "meta" or buffer.is_quantized:
            continue
        if buffer.untyped_storage()._cdata in storages:
            continue
        storages.add(buffer.untyped_storage()._cdata)
        for index, (known_name, known, copies) in enumerate(groups):
            if _same_values(known, buffer):
                groups[index] = (known_name, known, copies + 1)
                break
        else:
            groups.append((name, buffer.detach(), 0))
    return groups


def _same_values(left: Tensor, right: Tensor) -> bool:
    alike = left.shape == right.shape and left.dtype == right.dtype and left.device == right.device
    return alike and torch.equal(left, right)


def _note_no_forecast(reason: str) -> Finding:
    return Finding(
        code="T1-MEM-003",
        severity=Severity.INFO,
        message=f"Memory at other sizes cannot be predicted: {reason}.",
        evidence={"worst_fit_error": WORST_FIT_ERROR},
        hint="Measure the size you need by passing inputs of that size: `inputs=`, or `--inputs`.",
    )


def _note_frozen(count: ParameterCount) -> list[Finding]:
    frozen = count.parameters - count.trainable
    if frozen == 0:
        return []
    return [
        Finding(
            code="T1-MEM-004",
            severity=Severity.INFO,
            message=f"{frozen:,} of {count.parameters:,} parameters are not trainable, so they take no "
            "gradients and no "
            "optimizer state.",
            evidence={"frozen": frozen, "parameters": count.parameters},
            hint="Call `requires_grad_(True)` on what should train. Nothing to do if you froze them on purpose.",
        )
    ]


CHECK = Check(
    code="T1-MEM",
    name="memory footprint",
    tier=1,
    run=run,
    needs=("unquantised layers",),
    cost_steps=1.5,
    value=52,
    native=True,
)

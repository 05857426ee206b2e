"""T1-FIT: the model can memorise one small batch.

What it does: trains a copy on one batch with random targets for up to 60 steps of AdamW, first at a low and then at
a high learning rate, and records the loss. It runs on request.

Why it matters: a model that cannot memorise sixteen tokens will not learn a language. An output that is cut,
clamped or scaled away can prevent that although every gradient is finite and every other check passes.

Evidence: the loss at the start and its lowest value, the entropy of the targets (the loss of a constant guess), the
number of steps and the learning rates tried.

Exemptions: dropout is off. How fast a correct model fits depends on its width and initialisation, so slow fitting is
an info; only a loss that hardly falls is a warning.

Findings:
    T1-FIT-001 warning: the loss hardly falls at either learning rate.
    T1-FIT-002 info: the loss falls, but stays above half of its start or above the entropy of the targets.
    T1-FIT-003 warning: the loss becomes NaN or infinite at either learning rate.

Source: Karpathy 2019, "A recipe for training neural networks" (overfit one batch).
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from tierproof.checks.check import Check, CheckContext, CheckOutput
from tierproof.core.finding import Finding, Severity
from tierproof.core.json_value import JsonValue
from tierproof.model.call.call import Call
from tierproof.model.describe.subject import Subject
from tierproof.model.gradients.objective import TARGET_STREAM
from tierproof.model.preserve.copy_model import copy_owning_values

CODE = "T1-FIT"
_LENGTH = 8
_STEPS = 60
_LEARNING_RATES = (1e-3, 1e-2)
_STUCK = 0.9
_FITTED = 0.5
_CLIP = 1.0


@dataclass(frozen=True)
class _Fit:
    """One attempt: its learning rate and the loss before each step."""

    learning_rate: float
    losses: tuple[float, ...]

    @property
    def lowest(self) -> float:
        """The lowest finite loss; infinite where there is none."""
        return min((loss for loss in self.losses if math.isfinite(loss)), default=math.inf)


def run(context: CheckContext) -> CheckOutput:
    """Run the check."""
    subject = context.subject
    length = subject.inputs.clip_length(_LENGTH) if subject.inputs.has_length else None
    call = subject.make_call(length=length, seed=context.seed)
    try:
        loss, entropy = _choose_loss(subject, call, context.seed)
    except Exception as error:  # noqa: BLE001 - a short length that is refused is T1-SHAPE's to tell
        return CheckOutput(
            skipped=f"the model raised {type(error).__name__} at length {length} (see T1-SHAPE)"
        )
    fits: list[_Fit] = []
    for rate in _LEARNING_RATES:
        try:
            fits.append(_fit(context, call, loss, rate, entropy))
        except Exception as error:  # noqa: BLE001 - a step that raises is T1-GRAD's to tell
            return CheckOutput(skipped=f"a training step raises {type(error).__name__} (see T1-GRAD)")
        if _is_fitted(fits[-1], entropy) or context.deadline.expired:
            break
    best = min(fits, key=lambda fit: fit.lowest)
    measured: dict[str, JsonValue] = {
        "losses": list(best.losses),
        "start_loss": best.losses[0],
        "lowest_loss": best.lowest if math.isfinite(best.lowest) else None,
        "target_entropy": entropy,
        "learning_rates": [fit.learning_rate for fit in fits],
        "steps": len(best.losses),
    }
    return CheckOutput(tuple(_judge(best, fits, entropy)), measured)


def _choose_loss(subject: Subject, call: Call, seed: int) -> tuple[Callable[[Tensor], Tensor], float | None]:
    """A loss of the answer against fixed random targets, and what a constant guess would reach (logits only)."""
    subject.model.eval()
    with torch.no_grad():
        answer = subject.answer(call)
    generator = torch.Generator().manual_seed(seed + TARGET_STREAM)
    if subject.outputs.role == "logits" and answer.dim() >= 2:
        classes = answer.shape[-1]
        rows = answer.numel() // classes
        targets = torch.randint(classes, (rows,), generator=generator)
        shares = torch.bincount(targets).double() / rows
        shares = shares[shares > 0]
        entropy = float(-(shares * shares.log()).sum())
        placed = targets.to(answer.device)
        return lambda logits: F.cross_entropy(logits.flatten(0, -2).float(), placed), entropy
    wanted = torch.randn(answer.shape, generator=generator, dtype=torch.float32).to(answer.device)
    return lambda values: F.mse_loss(_as_real(values, wanted), wanted), None


def _as_real(values: Tensor, wanted: Tensor) -> Tensor:
    return (values.real if values.is_complex() else values).to(wanted.dtype)


def _fit(
    context: CheckContext, call: Call, loss: Callable[[Tensor], Tensor], rate: float, entropy: float | None
) -> _Fit:
    copied = copy_owning_values(context.subject.model).eval()
    parameters = [p for p in copied.parameters() if p.requires_grad]
    optimizer = torch.optim.AdamW(parameters, lr=rate, weight_decay=0.0)
    losses: list[float] = []
    torch.manual_seed(context.seed)
    for _ in range(_STEPS):
        optimizer.zero_grad(set_to_none=True)
        with torch.enable_grad():
            value = loss(context.subject.outputs.follow(call.run(copied)))
        losses.append(float(value.detach()))
        done = _is_fitted(_Fit(rate, tuple(losses)), entropy)
        if done or not math.isfinite(losses[-1]) or context.deadline.expired:
            break
        value.backward()  # type: ignore[no-untyped-call]
        nn.utils.clip_grad_norm_(parameters, _CLIP)
        optimizer.step()
    return _Fit(rate, tuple(losses))


def _is_fitted(fit: _Fit, entropy: float | None) -> bool:
    bar = _FITTED * fit.losses[0]
    return fit.lowest <= (bar if entropy is None else min(bar, entropy) if entropy else bar)


def _judge(best: _Fit, fits: list[_Fit], entropy: float | None) -> list[Finding]:
    start = best.losses[0]
    evidence: dict[str, JsonValue] = {
        "start_loss": start,
        "lowest_loss": best.lowest if math.isfinite(best.lowest) else None,
        "target_entropy": entropy,
        "steps": len(best.losses),
    }
    rates = " and ".join(f"{fit.learning_rate:g}" for fit in fits)
    if not math.isfinite(start):
        return []  # the forward itself is broken, which is T1-STAB's to tell
    if _is_fitted(best, entropy):
        return []
    if all(not math.isfinite(fit.losses[-1]) for fit in fits):
        message = f"The loss becomes NaN or infinite on one small batch, with learning rates {rates}."
        hint = (
            "Compute norms and softmax in float32, or start from smaller weights (see T1-STAB and T1-INIT)."
        )
        return [Finding(f"{CODE}-003", Severity.WARNING, message, "", evidence, hint)]
    if best.lowest > _STUCK * start:
        message = (
            f"The model cannot memorise one small batch: the loss only falls from {start:.3g} to {best.lowest:.3g}, "
            f"with learning rates {rates}."
        )
        hint = (
            "Remove what clamps, scales down or detaches the output, and unfreeze layers that should learn."
        )
        return [Finding(f"{CODE}-001", Severity.WARNING, message, "", evidence, hint)]
    message = f"The loss on one small batch falls from {start:.3g} to {best.lowest:.3g}, slower than in most models."
    hint = "Train with a higher learning rate or for more steps; small and narrow models need both."
    return [Finding(f"{CODE}-002", Severity.INFO, message, "", evidence, hint)]


CHECK = Check(
    CODE,
    "fitting one batch",
    1,
    run,
    needs=("parameter values", "unquantised layers", "trainable parameters"),
    cost_steps=30.0,
    value=28,
    opt_in=True,
)

"""T1-CKPT: gradient checkpointing only changes the memory that training needs.

What it does: runs one training step of a copy as it is, and one with gradient checkpointing: through
`gradient_checkpointing_enable` if the model has it, otherwise with `torch.utils.checkpoint` around each repeated
block. It compares the loss and the gradients. It runs on request.

Why it matters: checkpointing runs a block's forward a second time during backward. A block that counts its calls,
writes into its inputs or draws from its own generator computes something else the second time, so the gradients are
wrong.

Evidence: the relative change of the loss and of each gradient, and the block whose gradient changes.

Exemptions: models without repeated blocks or without trainable parameters, and models whose plain training step is
not repeatable from a fixed seed.

Findings:
    T1-CKPT-001 error: the loss or the gradients change under gradient checkpointing.
    T1-CKPT-002 warning: the training step raises under gradient checkpointing.

Source: Chen et al. 2016, "Training deep nets with sublinear memory cost"; the contract of
torch.utils.checkpoint.
"""

from __future__ import annotations

import functools
from typing import Any

from torch import nn
from torch.utils.checkpoint import checkpoint

from tierproof.checks.check import Check, CheckContext, CheckOutput
from tierproof.checks.claim import claim_error
from tierproof.core.finding import Finding, Severity
from tierproof.core.json_value import JsonValue
from tierproof.model.call.call import Call
from tierproof.model.compare.comparison import measure_change
from tierproof.model.compare.steady_answer import SHORT_LENGTH
from tierproof.model.describe.basis import Basis
from tierproof.model.describe.repeated_blocks import find_repeated_blocks
from tierproof.model.describe.subject import Subject
from tierproof.model.gradients.training_step import TrainingStep, run_training_step
from tierproof.model.observe.execution_trace import ExecutionTrace
from tierproof.model.preserve.copy_model import copy_sharing_values

CODE = "T1-CKPT"
# The second forward repeats the first to the last bit; what is left are sums in another order.
_TOLERANCE = 1e-3


def run(context: CheckContext) -> CheckOutput:
    """Run the check."""
    subject, seed = context.subject, context.seed
    call = subject.make_call(length=subject.inputs.clip_length(SHORT_LENGTH), seed=seed)
    try:
        plain = _step_of_copy(subject, call, seed)
        again = _step_of_copy(subject, call, seed)
    except Exception as error:  # noqa: BLE001 - a training step that fails as it is, is T1-GRAD's to tell
        return CheckOutput(skipped=f"a training step raises {type(error).__name__} (see T1-GRAD)")
    if not plain.gradients or _compare(plain, again)[0] > _TOLERANCE:
        return CheckOutput(skipped="the training step is not repeatable from a fixed seed (see T1-STAB)")
    copied: Any = copy_sharing_values(subject.model)
    how = _enable(copied)
    if not how:
        return CheckOutput(skipped="the model has no repeated blocks to checkpoint")
    measured: dict[str, JsonValue] = {"how": how}
    trace = ExecutionTrace(copied)
    try:
        with trace:
            saved = run_training_step(subject, copied, call, seed)
    except Exception as error:  # noqa: BLE001 - the failure is the finding
        return CheckOutput((_report_raise(error, how, trace.raised_in or ""),), measured)
    change, name = _compare(plain, saved)
    measured |= {"loss": plain.loss, "checkpointed_loss": saved.loss, "largest_change": change}
    if change <= _TOLERANCE:
        return CheckOutput(measurements=measured)
    return CheckOutput((_report_change(subject.model, plain, saved, change, name),), measured)


def _step_of_copy(subject: Subject, call: Call, seed: int) -> TrainingStep:
    return run_training_step(subject, copy_sharing_values(subject.model), call, seed)


def _enable(copied: Any) -> str:
    """Switch checkpointing on; in words how, empty where it is not possible."""
    if getattr(copied, "supports_gradient_checkpointing", False):
        # transformers 5.24 renamed the method and its argument.
        renamed = hasattr(copied, "activation_checkpointing_enable")
        name = "activation_checkpointing_enable" if renamed else "gradient_checkpointing_enable"
        getattr(copied, name)()
        return name
    blocks = find_repeated_blocks(copied)
    for block in blocks.values():
        block.forward = functools.partial(checkpoint, block.forward, use_reentrant=False)
    return f"torch.utils.checkpoint around {len(blocks)} blocks" if blocks else ""


def _compare(first: TrainingStep, second: TrainingStep) -> tuple[float, str]:
    """The largest relative change of loss or gradient, and the last parameter that changes, "" for the loss."""
    largest = abs(first.loss - second.loss) / max(abs(first.loss), 1e-12)
    last = ""
    for name, gradient in first.gradients.items():
        other = second.gradients.get(name)
        change = float("inf") if other is None else measure_change(gradient, other)
        largest = max(largest, change)
        last = name if change > _TOLERANCE else last
    return largest, last


def _report_change(
    model: nn.Module, plain: TrainingStep, saved: TrainingStep, change: float, name: str
) -> Finding:
    blocks = find_repeated_blocks(model)
    owner = name.rpartition(".")[0]
    where = next((path for path in blocks if owner == path or owner.startswith(f"{path}.")), owner)
    return claim_error(
        f"{CODE}-001",
        "The training step gives different gradients under gradient checkpointing: a block computes something else "
        "when its forward runs a second time.",
        where,
        {
            "largest_change": change,
            "tolerance": _TOLERANCE,
            "loss": plain.loss,
            "checkpointed_loss": saved.loss,
            "parameter": name,
        },
        "From the block's forward, remove counters, caches, writes into its inputs, and random generators of its "
        "own.",
        rests_on=Basis.RUN,
    )


def _report_raise(error: Exception, how: str, where: str) -> Finding:
    return Finding(
        f"{CODE}-002",
        Severity.WARNING,
        f"The training step raises under gradient checkpointing: {type(error).__name__}: {str(error)[:300]}",
        where,
        {"how": how},
        "Make the second forward of the block repeat the first: the same operations on the same tensors.",
    )


CHECK = Check(
    CODE,
    "gradient checkpointing",
    1,
    run,
    needs=("parameter values", "unquantised layers", "trainable parameters"),
    cost_steps=3.0,
    value=30,
    opt_in=True,
)

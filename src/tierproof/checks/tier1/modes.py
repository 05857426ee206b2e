"""T1-MODE: evaluation does not change later training, and a training step runs.

What it does: runs a forward and a backward pass in training mode. It compares two training passes with different random
states before and after one pass in evaluation mode. It calls `generate`, where there is one that takes tokens and a
number of new ones, and compares the modes of all modules.

Why it matters: training and evaluation alternate. Dropout that an evaluation switches off for good, or a `generate`
that leaves the model in evaluation mode, changes the rest of the training without an error.

Evidence: the change between two training passes, before and after; the modules whose mode changed.

Exemptions: models without random numbers in training. A backward pass that raises is reported only where the forward
pass in training mode runs and gives an output with a gradient.

Findings:
    T1-MODE-001 error: after one pass in evaluation mode, training passes are no longer random. Two passes are compared
        up to rounding, and the module that stores the mode is named (T1-DROP-002 compares four seeds exactly).
    T1-MODE-002 error: the backward pass raises in training mode.
    T1-MODE-003 warning: `generate` leaves modules in another mode.

Source: PyTorch's contract of `Module.train` and `Module.eval`: the flag alone decides.
"""

from __future__ import annotations

import inspect

import torch
from torch import Tensor

from tierproof.checks.check import Check, CheckContext, CheckOutput
from tierproof.checks.claim import claim_error
from tierproof.core.finding import Finding, Severity
from tierproof.core.json_value import JsonValue
from tierproof.model.call.call import Call
from tierproof.model.compare.comparison import find_tolerance, measure_change
from tierproof.model.compare.short_call import make_short_call
from tierproof.model.describe.basis import Basis
from tierproof.model.describe.subject import Subject
from tierproof.model.gradients.objective import compute_objective

# Dropout moves an answer by a share of its spread; rounding and a state that settles do so by far less.
_LEAST_RANDOMNESS = 1e-3
_NEW_TOKENS = ("max_new_tokens", "max_length", "num_tokens", "steps", "n", "max_tokens")


def run(context: CheckContext) -> CheckOutput:
    """Run the check."""
    subject, seed = context.subject, context.seed
    # Evaluation mode comes later: the first pass in it may be what switches the randomness off.
    subject.model.train()
    call = make_short_call(subject, seed)
    measured: dict[str, JsonValue] = {}
    findings = _judge_randomness(subject, call, seed, measured)
    findings += _judge_backward(subject, call, seed, measured)
    findings += _judge_generate(subject, seed, measured)
    return CheckOutput(tuple(findings), measured)


def _judge_randomness(
    subject: Subject, call: Call, seed: int, measured: dict[str, JsonValue]
) -> list[Finding]:
    """Compare two training passes before and after one in evaluation mode."""
    try:
        before = _measure_randomness(subject, call, seed)
        subject.model.eval()
        with torch.no_grad():
            subject.forward(call)
        after = _measure_randomness(subject, call, seed)
    except Exception as error:  # noqa: BLE001 - a forward that raises in training mode is measured, not judged here
        measured["training"] = f"raises {type(error).__name__}: {str(error)[:160]}"
        return []
    measured |= {"training_change": before, "training_change_after_evaluation": after}
    if before <= _LEAST_RANDOMNESS or after > 0.0:
        return []
    return [
        claim_error(
            "T1-MODE-001",
            "Two training passes differ at random, as with dropout, but after one pass in evaluation mode they no "
            "longer differ: evaluation switches the randomness off for good.",
            _find_writer(subject, call),
            {"change_before": before, "change_after": after},
            "Read `self.training` where you choose the dropout probability, and do not store the result on the module.",
            rests_on=Basis.RUN,
        )
    ]


def _measure_randomness(subject: Subject, call: Call, seed: int) -> float:
    """The change between two training passes at two random states, from the same buffers.

    A power iteration (spectral norm) or running statistics move buffers in each pass, which is not random.
    """
    subject.model.train()
    buffers = [(buffer, buffer.clone()) for buffer in subject.model.buffers()]
    answers: list[Tensor] = []
    for number in (1, 2):
        torch.manual_seed(seed + number)
        with torch.no_grad():
            for buffer, value in buffers:
                buffer.copy_(value)
            answers.append(subject.answer(call).clone())
    change = measure_change(*answers)
    # Statistics of a batch norm move its training passes by nothing; threads may sum in another order.
    return change if change > find_tolerance(answers[0]) / 10 else 0.0


def _find_writer(subject: Subject, call: Call) -> str:
    """The first module a plain attribute of which changes during a pass in evaluation mode after training."""
    subject.model.train()
    values = {path: _read_plain(module) for path, module in subject.model.named_modules()}
    subject.model.eval()
    with torch.no_grad():
        subject.forward(call)
    moved = [path for path, m in subject.model.named_modules() if _read_plain(m) != values[path]]
    return moved[0] if moved else ""


def _read_plain(module: torch.nn.Module) -> dict[str, object]:
    return {k: v for k, v in vars(module).items() if isinstance(v, bool | int | float) and k != "training"}


def _judge_backward(subject: Subject, call: Call, seed: int, measured: dict[str, JsonValue]) -> list[Finding]:
    """Run forward and backward in training mode."""
    subject.model.train()
    torch.manual_seed(seed)
    try:
        with torch.enable_grad():
            objective = compute_objective(subject.forward(call), subject, seed)
    except Exception as error:  # noqa: BLE001 - a forward that raises in training mode is measured, not judged here
        measured["training"] = f"raises {type(error).__name__}: {str(error)[:160]}"
        return []
    if not objective.requires_grad:
        return []
    try:
        objective.backward()  # type: ignore[no-untyped-call]
    except Exception as error:  # noqa: BLE001 - the failure is the finding
        return [
            claim_error(
                "T1-MODE-002",
                f"The backward pass raises in training mode: {type(error).__name__}: {str(error)[:300]}",
                "",
                {"raised": type(error).__name__},
                "Do not change tensors in place that backward needs. With gradient checkpointing, a block's forward "
                "runs twice: make both runs compute the same, and switch the cache off.",
                rests_on=Basis.INPUTS,
            )
        ]
    finally:
        subject.model.zero_grad(set_to_none=True)
    return []


def _judge_generate(subject: Subject, seed: int, measured: dict[str, JsonValue]) -> list[Finding]:
    """Call a hand-written `generate(tokens, number)` in training mode and compare the modes."""
    generate = getattr(subject.model, "generate", None)
    tokens = subject.inputs.primary_argument
    if not callable(generate) or tokens.role != "tokens" or hasattr(subject.model, "generation_config"):
        return []
    try:
        names = list(inspect.signature(generate).parameters)
    except (TypeError, ValueError):
        return []
    if len(names) < 2 or names[1] not in _NEW_TOKENS:
        return []
    length = subject.inputs.clip_length(4)
    given = subject.make_call(batch=1, length=length, seed=seed).tensors[tokens.name]
    modules = dict(subject.model.named_modules())
    subject.model.train()
    count = 2 if names[1] != "max_length" else length + 2
    try:
        with torch.no_grad():
            generate(given, count)
    except Exception as error:  # noqa: BLE001 - generate may need more than is passed here
        measured["generate"] = f"raises {type(error).__name__}: {str(error)[:160]}"
        return []
    left = [path for path, module in modules.items() if not module.training]
    measured["modules_left_in_evaluation"] = len(left)
    if not left:
        return []
    return [
        Finding(
            "T1-MODE-003",
            Severity.WARNING,
            f"`generate` was called in training mode and leaves {len(left)} of {len(modules)} modules in evaluation "
            "mode: training then continues without dropout.",
            left[0],
            {"modules": len(left)},
            "Store `was_training = self.training` at the start, and call `self.train(was_training)` at the end.",
        )
    ]


CHECK = Check(
    "T1-MODE",
    "training and evaluation modes",
    1,
    run,
    needs=("parameter values", "trainable parameters"),
    cost_steps=0.6,
    value=56,
)

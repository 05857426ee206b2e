"""Judge a training pass that computes a differentiable scalar, or calls an autograd Function, and drops the result."""

from __future__ import annotations

from typing import Any

import torch

from tierproof.checks.tier1.loss.target_call import make_target_call
from tierproof.core.finding import Finding, Severity
from tierproof.model.call.call import Call
from tierproof.model.call.extra_arguments import TARGET_NAMES
from tierproof.model.call.forward_signature import read_signature
from tierproof.model.describe.subject import Subject
from tierproof.model.observe.loose_ends import LooseEnd, find_loose_ends

CODE = "T1-LOSS"


def judge_discarded_results(subject: Subject, seed: int) -> list[Finding]:
    """One finding for the first discarded result of each kind."""
    call = _make_training_call(subject, seed)
    if call is None or not any(p.requires_grad for p in subject.model.parameters()):
        return []
    kept = {name: buffer.detach().clone() for name, buffer in subject.model.named_buffers()}
    subject.model.train()
    torch.manual_seed(seed)

    def run() -> Any:
        return subject.forward(call)

    try:
        ends = find_loose_ends(subject.model, run)
    except Exception:  # noqa: BLE001 - T1-GRAD-012 reports a forward that raises in training mode
        return []
    finally:
        subject.model.eval()
        with torch.no_grad():  # running statistics move in training mode
            for name, buffer in subject.model.named_buffers():
                if name in kept and kept[name].shape == buffer.shape:
                    buffer.copy_(kept[name])
    functions = [end for end in ends if end.custom]
    inside = {end.path for end in functions}
    scalars = [end for end in ends if not end.custom and end.path not in inside]
    return [*_report_functions(functions), *_report_scalars(scalars)]


def _make_training_call(subject: Subject, seed: int) -> Call | None:
    """The call that training makes; None where the model takes targets that cannot be drawn."""
    if (found := make_target_call(subject, seed)) is not None:
        return found[1]
    given = {argument.name for argument in subject.inputs.arguments}
    signature = read_signature(subject.model)
    if any(name in signature and name not in given for name in TARGET_NAMES):
        return None
    return subject.make_call(seed=seed)


def _report_functions(ends: list[LooseEnd]) -> list[Finding]:
    if not ends:
        return []
    first, places = ends[0], _list_places(ends)
    return [
        Finding(
            f"{CODE}-009",
            Severity.WARNING,
            f"The result of `{first.made_by}.apply` is discarded, so its backward never runs: what it adds to the "
            "gradient is lost.",
            first.path,
            {"function": first.made_by, "modules": places, "count": len(ends)},
            f"Use the tensor that it returns: `x = {first.made_by}.apply(x, …)`.",
        )
    ]


def _report_scalars(ends: list[LooseEnd]) -> list[Finding]:
    if not ends:
        return []
    first, places = ends[0], _list_places(ends)
    return [
        Finding(
            f"{CODE}-008",
            Severity.WARNING,
            "In training mode this module computes a differentiable scalar, but neither returns nor stores it: if it "
            "is an auxiliary loss, it trains nothing.",
            first.path,
            {"operation": first.made_by, "modules": places, "count": len(ends)},
            "Add the scalar to the loss or return it. If it is only for logging, compute it under `torch.no_grad()`.",
        )
    ]


def _list_places(ends: list[LooseEnd]) -> list[str]:
    return list(dict.fromkeys(end.path for end in ends))[:8]

"""T1-WRITE: no module changes a tensor in place that its caller reads again.

What it does: runs the model once more with modules that are given copies of their floating-point inputs. Where a module
had changed its input in place and the caller reads that input afterwards, the output differs.

Why it matters: `x.float()` of a float32 tensor is that tensor itself, so a norm that then works in place overwrites the
residual stream. The model trains, but computes something else than its code says.

Evidence: the change of the output relative to its spread, and the module whose copy alone makes the difference.

Exemptions: modules that change their input in place and return it (`nn.ReLU(inplace=True)`), as long as nothing else
reads it. Caches and other containers are passed as they are.

Findings:
    T1-WRITE-001 warning: a module overwrites its input, and code that reads it afterwards gets the new values.

Source: PyTorch's convention that only functions with a trailing underscore change their arguments.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import torch
from torch import Tensor, nn

from tierproof.checks.check import Check, CheckContext, CheckOutput
from tierproof.core.finding import Finding, Severity
from tierproof.core.json_value import JsonValue
from tierproof.model.compare.comparison import measure_change
from tierproof.model.compare.steady_answer import Baseline, find_baseline

_MOST_TRIED = 12


def run(context: CheckContext) -> CheckOutput:
    """Run the check."""
    base = find_baseline(context.subject, context.seed, batch=2)
    if isinstance(base, str):
        return CheckOutput(skipped=base)
    writers = _find_writers(base)
    measured: dict[str, JsonValue] = {"modules_that_write": writers[:20]}
    if not writers:
        return CheckOutput(measurements=measured)
    together = _measure_copies(base, writers)
    measured["change_with_copies"] = together
    if together <= base.tolerance:
        return CheckOutput(measurements=measured)
    changes = {path: _measure_copies(base, [path]) for path in writers[:_MOST_TRIED]}
    guilty = [path for path, change in changes.items() if change > base.tolerance]
    where = next((path for path in guilty if not any(o.startswith(f"{path}.") for o in guilty)), "")
    finding = Finding(
        "T1-WRITE-001",
        Severity.WARNING,
        f"{f'`{where}`' if where else 'A module'} overwrites its input in place, and the caller reads that input "
        f"again: if the module gets a copy, the outputs change by {together:.2g} standard deviations.",
        where,
        {"relative_change": together, "modules": guilty[:20]},
        "Clone the input first, or use operations without the trailing underscore. Note that `x.float()` makes "
        "no copy if x is already float32.",
    )
    return CheckOutput((finding,), measured)


def _find_writers(base: Baseline) -> list[str]:
    """Modules that change a floating-point tensor among their arguments."""
    model = base.answers.subject.model
    waiting: dict[str, list[list[tuple[Tensor, int]]]] = {}
    writers: dict[str, None] = {}
    handles: list[Any] = []

    def enter(path: str, args: Any, kwargs: Any) -> None:
        waiting.setdefault(path, []).append([(t, t._version) for t in _floats((*args, *kwargs.values()))])

    def leave(path: str) -> None:
        for tensor, version in waiting[path].pop() if waiting.get(path) else ():
            if tensor._version != version:
                writers.setdefault(path)

    try:
        for path, module in model.named_modules():
            if not path or isinstance(module, torch.jit.ScriptModule):  # these take no such hooks
                continue
            handles.append(
                module.register_forward_pre_hook(
                    lambda _m, args, kwargs, path=path: enter(path, args, kwargs), with_kwargs=True
                )
            )
            handles.append(module.register_forward_hook(lambda _m, _a, _o, path=path: leave(path)))
        base.answers.forward(base.call)
    finally:
        for handle in handles:
            handle.remove()
    return list(writers)


def _floats(values: Iterable[Any]) -> list[Tensor]:
    return [value for value in values if isinstance(value, Tensor) and value.is_floating_point()]


def _measure_copies(base: Baseline, paths: list[str]) -> float:
    """The change of the answer when these modules are given copies."""

    def copy(value: Any) -> Any:
        return value.clone() if isinstance(value, Tensor) and value.is_floating_point() else value

    def give_copies(_module: nn.Module, args: Any, kwargs: Any) -> Any:
        return tuple(copy(value) for value in args), {name: copy(value) for name, value in kwargs.items()}

    model = base.answers.subject.model
    handles = [
        model.get_submodule(path).register_forward_pre_hook(give_copies, with_kwargs=True) for path in paths
    ]
    try:
        answer = base.answers.attempt(base.call)
    finally:
        for handle in handles:
            handle.remove()
    return 0.0 if answer is None else measure_change(base.answer, answer)


CHECK = Check("T1-WRITE", "overwritten inputs", 1, run, needs=("parameter values",), cost_steps=0.3, value=54)

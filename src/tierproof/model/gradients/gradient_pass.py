"""Run one forward and backward pass, and record which gradients reach each parameter."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor, nn

from tierproof.model.call.call import Call
from tierproof.model.call.outputs import iterate_tensors
from tierproof.model.describe.shared_passes import identify_call, identify_modes
from tierproof.model.describe.subject import Subject
from tierproof.model.gradients.objective import collect_answers, compute_objective
from tierproof.model.observe.execution_trace import ExecutionTrace
from tierproof.model.observe.operation_log import OperationLog, OperationRecorder
from tierproof.model.sizes.extremes import is_finite


@dataclass(frozen=True)
class GradientPass:
    """The gradients and other observations of one forward and backward pass.

    Attributes:
        objective: its value.
        attached: whether the objective depends on any parameter in the graph.
        answer_attached: whether the answer itself (rather than some other output) does.
        finite: whether all outputs were finite.
        norms: Euclidean norm of each trainable parameter's gradient by name; None if it got none.
        differentiable: paths of the outputs that carry gradients.
        entered: module paths in the order of their first call.
        log: what the operations touched.
        still_rows: matrices in which one contiguous run of rows, at least a quarter of all, has a gradient of exactly
            zero and the other rows do not: (first row, one past the last row, number of rows) by name.
    """

    objective: float
    attached: bool
    answer_attached: bool
    finite: bool
    norms: dict[str, float | None]
    differentiable: frozenset[str]
    entered: tuple[str, ...]
    log: OperationLog
    still_rows: dict[str, tuple[int, int, int]] = field(default_factory=dict)


def run_gradient_pass(subject: Subject, call: Call, seed: int) -> GradientPass:
    """Run forward and backward in the model's present modes, from a fixed seed.

    Gradients are cleared before and after, so no memory of their size stays in use. The result is computed once
    and shared by all checks.
    """
    clear_gradients(subject.model)
    question = ("gradients", identify_call(call), seed, identify_modes(subject.model))
    return subject.passes.share(question, lambda: _run_gradient_pass(subject, call, seed))


def _run_gradient_pass(subject: Subject, call: Call, seed: int) -> GradientPass:
    model = subject.model
    torch.manual_seed(seed)
    trace = ExecutionTrace(model)
    recorder = OperationRecorder(trace)
    with torch.enable_grad(), trace:
        with recorder:
            output = subject.forward(call)
        answers = collect_answers(output)
        objective = compute_objective(output, subject, seed)
    # In training mode a model may return other things (two heads): any of them is the answer then.
    answer = answers.get(subject.outputs.main) if subject.outputs.main in answers else objective
    differentiable = frozenset(path for path, tensor in answers.items() if tensor.requires_grad)
    finite = all(not bool(tensor.isnan().any()) for tensor in answers.values())
    del output, answers
    attached = objective.requires_grad
    if attached:
        objective.backward()  # type: ignore[no-untyped-call]
    norms = {
        name: None if parameter.grad is None else _measure_norm(parameter.grad)
        for name, parameter in model.named_parameters()
        if parameter.requires_grad
    }
    still = {
        name: rows
        for name, parameter in model.named_parameters()
        if parameter.grad is not None and (rows := _find_still_rows(parameter.grad)) is not None
    }
    clear_gradients(model)
    return GradientPass(
        objective=float(objective.detach()),
        attached=attached,
        answer_attached=answer is not None and answer.requires_grad,
        finite=finite and bool(objective.detach().isfinite()),
        norms=norms,
        differentiable=differentiable,
        entered=tuple(dict.fromkeys(trace.entered)),
        log=recorder.log,
        still_rows=still,
    )


def clear_gradients(model: nn.Module) -> None:
    """Set every parameter's gradient to None."""
    for parameter in model.parameters():
        parameter.grad = None


def _measure_norm(gradient: Tensor) -> float:
    values = gradient.coalesce().values() if gradient.is_sparse else gradient
    values = torch.view_as_real(values) if values.is_complex() else values
    norm = float(torch.linalg.vector_norm(values.detach().float()))
    # Squares of tiny or huge gradients leave float32: only then pay for float64.
    if norm == 0.0 or not torch.isfinite(torch.tensor(norm)):
        norm = float(torch.linalg.vector_norm(values.detach().double()))
    return norm


def _find_still_rows(gradient: Tensor) -> tuple[int, int, int] | None:
    if gradient.is_sparse or gradient.dim() != 2 or gradient.shape[0] < 8:
        return None
    # A sum of magnitudes is zero for rows of zeros alone, and takes a third of the time of comparing each value.
    values = gradient.detach().float() if gradient.itemsize == 1 else gradient.detach()
    sums = torch.linalg.vector_norm(values, ord=1, dim=1)
    still = sums.eq(0).nonzero().flatten()
    total = gradient.shape[0]
    if not total // 4 <= len(still) < total:
        return None
    start, stop = int(still[0]), int(still[-1]) + 1
    return (start, stop, total) if stop - start == len(still) else None


@dataclass
class _Traffic:
    """Whether the gradients at a module's outputs and inputs were all finite."""

    outputs: bool = True
    inputs: bool = True
    order: list[int] = field(default_factory=list)


def locate_broken_gradient(subject: Subject, call: Call, seed: int) -> str:
    """Find the module in which a finite gradient turns into NaN or infinity.

    It is the innermost module, latest in the forward pass, whose outputs get finite gradients while its inputs or
    parameters get others. Empty if there is no such module.
    """
    model = subject.model
    traffic: dict[str, _Traffic] = {}
    handles = [
        handle
        for path, module in model.named_modules()
        if not isinstance(module, torch.jit.ScriptModule)
        for handle in _watch_traffic(path, module, traffic)
    ]
    clear_gradients(model)
    try:
        torch.manual_seed(seed)
        with torch.enable_grad():
            objective = compute_objective(subject.forward(call), subject, seed)
            if objective.requires_grad:
                objective.backward()  # type: ignore[no-untyped-call]
    finally:
        for handle in handles:
            handle.remove()
    broken = {
        name.rpartition(".")[0]
        for name, parameter in model.named_parameters()
        if parameter.grad is not None and not is_finite(parameter.grad.to_dense())
    }
    clear_gradients(model)
    guilty = [
        path
        for path, seen in traffic.items()
        if seen.outputs and (not seen.inputs or any(_is_within(owner, path) for owner in broken))
    ]
    innermost = [path for path in guilty if not any(o != path and _is_within(o, path) for o in guilty)]
    return max(innermost, key=lambda path: traffic[path].order[-1], default="")


def _is_within(path: str, ancestor: str) -> bool:
    return not ancestor or path == ancestor or path.startswith(ancestor + ".")


def _watch_traffic(path: str, module: nn.Module, traffic: dict[str, _Traffic]) -> list[Any]:
    def before(_module: nn.Module, arguments: Any, keywords: Any) -> None:
        seen = traffic.setdefault(path, _Traffic())
        seen.order.append(sum(len(other.order) for other in traffic.values()))
        _hook_gradients((arguments, keywords), lambda finite: setattr(seen, "inputs", seen.inputs and finite))

    def after(_module: nn.Module, _arguments: Any, _keywords: Any, output: Any) -> None:
        seen = traffic[path]
        _hook_gradients(output, lambda finite: setattr(seen, "outputs", seen.outputs and finite))

    return [
        module.register_forward_pre_hook(before, with_kwargs=True),
        module.register_forward_hook(after, with_kwargs=True),
    ]


def _hook_gradients(values: Any, note: Callable[[bool], None]) -> None:
    for _, tensor in iterate_tensors(values):
        if tensor.requires_grad:
            tensor.register_hook(lambda gradient: note(bool(gradient.isfinite().all())))  # type: ignore[no-untyped-call]

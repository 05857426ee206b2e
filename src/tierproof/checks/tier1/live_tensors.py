"""T1-LIVE: repeated training steps do not keep more and more tensors or graphs alive.

What it does: runs several training steps (forward, backward, no update) of one shape, and after each counts the
tensors that can be reached from the model.

Why it matters: a history, a running loss or a cache that keeps tensors also keeps their graphs. Memory grows with every
step until the process is killed, hours later.

Evidence: tensors and bytes that can be reached after each step, and the attribute that grows.

Exemptions: caches that fill once: growth counts only if every later step adds as much again.

Findings:
    T1-LIVE-001 error: every training step keeps more tensors alive.
    T1-LIVE-002 error: the second training step fails on a graph that was kept from the first.
    T1-LIVE-003 error: a tensor keeps the graph of every training step.

Source: the PyTorch FAQ on running out of memory ("don't accumulate history across your training loop").
"""

from __future__ import annotations

import itertools
import re
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor, nn

from tierproof.checks.check import Check, CheckContext, CheckOutput
from tierproof.checks.claim import claim_error
from tierproof.core.finding import Finding
from tierproof.model.call.call import raised_in_a_call
from tierproof.model.compare.steady_answer import SHORT_LENGTH
from tierproof.model.describe.basis import Basis
from tierproof.model.describe.subject import Subject
from tierproof.model.gradients.objective import compute_objective
from tierproof.model.preserve.object_graph import collect_objects

_STEPS = 5
# The first steps may fill caches; the growth of the last three must be steady.
_STEADY_STEPS = 3
_MOST_OPERATIONS = 200_000
_SECOND_BACKWARD = "backward through the graph a second time"


@dataclass(frozen=True)
class _Census:
    """Tensors reachable from the model: bytes by path, parameters and their gradients aside.

    Attributes:
        graph_sizes: operations in the graph behind each of them that has one.
    """

    bytes_by_path: dict[str, int]
    graph_sizes: dict[str, int] = field(default_factory=dict)

    @property
    def count(self) -> int:
        return len(self.bytes_by_path)

    @property
    def total_bytes(self) -> int:
        return sum(self.bytes_by_path.values())


def run(context: CheckContext) -> CheckOutput:
    """Run the check."""
    subject = context.subject
    if not any(parameter.requires_grad for parameter in subject.model.parameters()):
        return CheckOutput(skipped="no parameter requires a gradient")
    subject.model.train()
    try:
        census = _take_steps(subject, context.seed)
    except Exception as error:
        if not (isinstance(error, RuntimeError) or raised_in_a_call(error)):
            raise
        if _SECOND_BACKWARD not in str(error):
            return CheckOutput(skipped=f"a training step raised: {error} (see T1-SHAPE, T1-GRAD)")
        return CheckOutput((_accuse_graph(subject.model),))
    counts = [item.count for item in census]
    if chain := _accuse_chain(subject.model, census):
        return CheckOutput((chain,))
    measured = {"reachable_tensors": counts, "reachable_bytes": [item.total_bytes for item in census]}
    growth = [after - before for before, after in itertools.pairwise(counts)][-_STEADY_STEPS:]
    if min(growth) <= 0:
        return CheckOutput(measurements=measured)
    return CheckOutput((_accuse_growth(subject.model, census, min(growth)),), measured)


def _take_steps(subject: Subject, seed: int) -> list[_Census]:
    """A census after each training step; fewer steps where growth can no longer be steady."""
    census: list[_Census] = []
    for turn in range(_STEPS):
        census.append(_step(subject, seed + turn))
        may_grow = turn < _STEPS - _STEADY_STEPS or census[-1].count > census[-2].count
        if not may_grow and not census[-1].graph_sizes:
            break
    return census


def _step(subject: Subject, seed: int) -> _Census:
    """One training step at a short length, without an update; gives what is reachable after it."""
    torch.manual_seed(seed)
    length = subject.inputs.clip_length(SHORT_LENGTH)
    call = subject.make_call(
        batch=subject.inputs.default_batch, length=length, target_length=length, seed=seed
    )
    objective = compute_objective(subject.forward(call), subject, seed)
    if objective.grad_fn is not None:
        objective.backward()  # type: ignore[no-untyped-call]
    del objective
    subject.model.zero_grad(set_to_none=True)
    known = {id(parameter) for parameter in subject.model.parameters()}
    reachable = collect_objects(subject.model).tensors
    kept = {path: tensor for path, tensor in reachable if id(tensor) not in known}
    return _Census(
        {path: tensor.nbytes for path, tensor in kept.items()},
        {path: _count_operations(tensor) for path, tensor in kept.items() if tensor.grad_fn is not None},
    )


def _count_operations(tensor: Tensor) -> int:
    """The operations in the graph behind a tensor."""
    seen: set[Any] = set()
    waiting: list[Any] = [tensor.grad_fn]
    while waiting and len(seen) < _MOST_OPERATIONS:
        node = waiting.pop()
        if node is not None and node not in seen:
            seen.add(node)
            waiting += [following for following, _ in node.next_functions]
    return len(seen)


def _accuse_chain(model: nn.Module, census: list[_Census]) -> Finding | None:
    """A tensor that the model keeps and whose graph gets longer with every step."""
    sizes = [item.graph_sizes for item in census[-_STEADY_STEPS:]]
    for path, last in sizes[-1].items():
        steps = [size.get(path, 0) for size in sizes]
        if all(0 < before < after for before, after in itertools.pairwise(steps)):
            where, name = _split_owner(model, _strip_index(path))
            return claim_error(
                "T1-LIVE-003",
                f"`{path}` keeps the autograd graph of every training step, with its activations: {last} operations "
                f"after {len(census)} steps, and {steps[-1] - steps[-2]} more with each step.",
                where,
                {"attribute": name, "operations": steps},
                f"Detach what you add: `self.{name} += value.detach()`.",
                rests_on=Basis.RUN,
            )
    return None


def _accuse_growth(model: nn.Module, census: list[_Census], tensors_per_step: int) -> Finding:
    before, after = census[-2].bytes_by_path, census[-1].bytes_by_path
    grown = next(path for path in after if path not in before)
    attribute = _strip_index(grown)
    where, name = _split_owner(model, attribute)
    return claim_error(
        "T1-LIVE-001",
        f"Every training step keeps {tensors_per_step} more tensor(s) alive in `{attribute}`, so memory grows until "
        "the process is killed.",
        where,
        {
            "attribute": name,
            "tensors_per_step": tensors_per_step,
            "bytes_per_step": census[-1].total_bytes - census[-2].total_bytes,
            "steps": len(census),
        },
        f"Store numbers instead of tensors in `{attribute}` (`value.item()`, or `value.detach().cpu()` in a bounded "
        "deque), or empty it after each step.",
        rests_on=Basis.RUN,
    )


def _accuse_graph(model: nn.Module) -> Finding:
    """Name a tensor the model keeps together with its graph."""
    kept = [path for path, tensor in collect_objects(model).tensors if tensor.grad_fn is not None and path]
    where, name = _split_owner(model, _strip_index(kept[0])) if kept else ("", "")
    place = f" in `{kept[0]}`" if kept else ""
    return claim_error(
        "T1-LIVE-002",
        f"The second training step fails, because a tensor kept from the first step{place} still holds the autograd "
        "graph of that step.",
        where,
        {"attribute": name},
        f"Detach what you carry from one step to the next: `self.{name or 'state'} = {name or 'state'}.detach()`.",
        rests_on=Basis.RUN,
    )


def _strip_index(path: str) -> str:
    """The container's path: `history` of `history.4`."""
    return re.sub(r"(\.\d+)+$", "", path)


def _split_owner(model: nn.Module, attribute: str) -> tuple[str, str]:
    """Split a path into the module that owns it and the attribute's name."""
    modules = {path for path, _ in model.named_modules()}
    owner, _, name = attribute.rpartition(".")
    while owner and owner not in modules:
        owner, _, rest = owner.rpartition(".")
        name = f"{rest}.{name}"
    return owner, name


CHECK = Check(
    "T1-LIVE",
    "live tensors",
    1,
    run,
    needs=("parameter values", "unquantised layers", "trainable parameters"),
    cost_steps=1.0,
    value=64,
)

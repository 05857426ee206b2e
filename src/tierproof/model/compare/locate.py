"""Locate the module at which two runs of a model first differ, by comparing them module by module."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from tierproof.model.call.call import Call
from tierproof.model.observe.activation_trace import ModuleCall, trace_activations

Violates = Callable[[Tensor, Tensor], bool]
TensorPairs = tuple[tuple[Tensor, Tensor], ...]
Condition = Callable[[TensorPairs, TensorPairs], bool]


@dataclass(frozen=True)
class CallPair:
    """One module call with its input and output tensors in both runs."""

    path: str
    inputs: TensorPairs
    outputs: TensorPairs


def pair_calls(first: Iterable[ModuleCall], second: Iterable[ModuleCall]) -> tuple[CallPair, ...]:
    """Match the calls of two runs by module and turn, in the order of the first run; drop unmatched calls."""
    others = {(call.path, call.turn): call for call in second}
    pairs = []
    for call in first:
        other = others.get((call.path, call.turn))
        if other is not None:
            pairs.append(
                CallPair(call.path, _pair(call.inputs, other.inputs), _pair(call.outputs, other.outputs))
            )
    return tuple(pairs)


def locate_first_divergence(
    model: nn.Module,
    call_a: Call,
    call_b: Call,
    violates_in: Violates,
    violates_out: Violates | None = None,
    *,
    seed: int = 0,
) -> str:
    """Find the innermost module whose inputs satisfy an invariant and whose output violates it.

    If a container computes something itself (such as attention in a block) and its children satisfy the invariant,
    the container is returned.

    Args:
        violates_in: whether a pair of input tensors (run a, run b) violates the invariant.
        violates_out: the same for outputs; `violates_in` when None.

    Returns:
        The module's path; empty if it is the model's own forward, or if there is none.
    """
    judge = violates_out or violates_in
    return locate(
        model,
        call_a,
        call_b,
        lambda inputs, outputs: (
            not any(violates_in(a, b) for a, b in inputs) and any(judge(a, b) for a, b in outputs)
        ),
        violates_in=violates_in,
        seed=seed,
    )


def locate(
    model: nn.Module,
    call_a: Call,
    call_b: Call,
    condition: Condition,
    *,
    violates_in: Violates | None = None,
    seed: int = 0,
) -> str:
    """Find the first module call, in order of completion, whose tensor pairs meet `condition`.

    With `violates_in`, a fault of the model's own forward that reaches an embedding by its indices (wrong
    positions, for instance) is placed at that embedding.
    """
    pairs = pair_calls(
        trace_activations(model, call_a, seed=seed), trace_activations(model, call_b, seed=seed)
    )
    path = next((pair.path for pair in pairs if condition(pair.inputs, pair.outputs)), "")
    if path or violates_in is None:
        return path
    for pair in pairs:
        if any(violates_in(a, b) for a, b in pair.inputs):
            return pair.path if isinstance(model.get_submodule(pair.path), nn.Embedding) else ""
    return ""


def all_positions_before(position: int, length: int, differ: Violates) -> Violates:
    """Violated when anything before `position` differs; tensors without an axis of `length` are not judged."""

    def violates(a: Tensor, b: Tensor) -> bool:
        first, second = _split_axis(a, length), _split_axis(b, length)
        if first is None or second is None or first.shape != second.shape:
            return False
        return differ(first[:position], second[:position])

    return violates


def shared_prefix(length: int, shorter: int, differ: Violates) -> Violates:
    """Violated when the first `shorter` positions of the long run differ from the short run."""

    def violates(a: Tensor, b: Tensor) -> bool:
        if a.dim() != b.dim():
            return False
        for axis, (size, other) in enumerate(zip(a.shape, b.shape, strict=True)):
            if size == length and other == shorter:
                a = a.narrow(axis, 0, shorter)
        return a.shape == b.shape and differ(a, b)

    return violates


def rows_of_batch(rows_a: Iterable[int], rows_b: Iterable[int], batch: int, differ: Violates) -> Violates:
    """Violated when rows `rows_a` of run a differ from rows `rows_b` of run b; both of the given batch."""
    index_a, index_b = torch.tensor(list(rows_a)), torch.tensor(list(rows_b))

    def violates(a: Tensor, b: Tensor) -> bool:
        first, second = _split_axis(a, batch, blocks=True), _split_axis(b, batch, blocks=True)
        if first is None or second is None or first.shape != second.shape:
            return False
        return differ(first[index_a.to(first.device)], second[index_b.to(second.device)])

    return violates


def _split_axis(tensor: Tensor, size: int, *, blocks: bool = False) -> Tensor | None:
    """The tensor with the (first) axis of `size` in front; axis 0 may hold `size` blocks, or (rows × size)."""
    for axis, actual in enumerate(tensor.shape):
        if actual == size:
            return tensor.movedim(axis, 0)
    if tensor.dim() and tensor.shape[0] > size and tensor.shape[0] % size == 0:
        rows = tensor.shape[0] // size
        if blocks:
            return tensor.reshape(size, rows, *tensor.shape[1:])
        return tensor.reshape(rows, size, *tensor.shape[1:]).movedim(1, 0) if tensor.dim() == 2 else None
    return None


def _pair(first: Mapping[str, Tensor], second: Mapping[str, Tensor]) -> TensorPairs:
    return tuple((tensor, second[path]) for path, tensor in first.items() if path in second)

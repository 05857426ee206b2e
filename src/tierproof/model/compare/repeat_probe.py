"""Find the module where two runs on one input diverge, and the modules that write into the input tensors."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn

from tierproof.model.observe.module_watch import Observation, watch_modules

Digest = tuple[str, ...]


def digest_tensors(tensors: Sequence[Tensor]) -> Digest:
    """A short text for each tensor, which differs when its values differ; NaN equals NaN."""
    return tuple(_digest(tensor) for tensor in tensors)


def _digest(tensor: Tensor) -> str:
    values = torch.view_as_real(tensor) if tensor.is_complex() else tensor
    values = values.detach().double().flatten()
    weights = torch.arange(1, values.numel() + 1, dtype=torch.float64, device=values.device)
    return f"{list(tensor.shape)} {float(values.sum())!r} {float((values * weights).sum())!r}"


def find_divergence(model: nn.Module, first: Callable[[], Any], second: Callable[[], Any]) -> str | None:
    """Find the innermost module that gets equal tensors in both runs and returns different ones.

    Args:
        first, second: each runs the model once.

    Returns:
        Its path, or None when the runs do not differ.
    """
    records: list[list[Observation[Digest]]] = []
    for run in (first, second):
        with watch_modules(model, digest_tensors) as observations:
            run()
        records.append(observations)
    for one, other in zip(records[0], records[1], strict=False):
        if one.path != other.path:
            # Another module ran: the choice was made by what holds both.
            return _find_common_parent(one.path, other.path)
        if one.before == other.before and one.after != other.after:
            return one.path
    if len(records[0]) != len(records[1]):
        return ""
    return None


def _find_common_parent(first: str, second: str) -> str:
    """The innermost module that holds both, lists aside: what runs the members of a list is the list's owner."""
    shared = []
    for one, other in zip(first.split("."), second.split("."), strict=False):
        if one != other:
            break
        shared.append(one)
    parent = ".".join(shared)
    is_list = first[len(parent) + 1 :].split(".", maxsplit=1)[0].isdigit() and bool(parent)
    return parent.rpartition(".")[0] if is_list else parent


@contextmanager
def watch_writes(model: nn.Module, inputs: Sequence[Tensor]) -> Iterator[list[str]]:
    """Inside the `with`, collect the paths of the modules that write to one of `inputs`, innermost first.

    Writes are seen by autograd's version counter, which views share with their base.
    """
    writers: list[str] = []
    with watch_modules(model, lambda _: tuple(tensor._version for tensor in inputs)) as observations:
        try:
            yield writers
        finally:
            writers.extend(item.path for item in observations if item.before != item.after)

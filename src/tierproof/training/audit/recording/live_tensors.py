"""Count the tensors that are alive."""

from __future__ import annotations

import gc
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

_OWN = "_kept_by_the_audit"
_MOST_NODES = 200_000


@dataclass(frozen=True, slots=True)
class LiveTensors:
    """How many tensors that are alive have a graph behind them, the nodes of these graphs, and the bytes of the
    storages of all."""

    graphs: int = 0
    nodes: int = 0
    bytes: int = 0


@contextmanager
def without_earlier_objects() -> Iterator[None]:
    """Inside the `with`, only objects made since its begin are counted, which takes a hundredth of the time.

    A process that has frozen objects itself is left as it is.
    """
    if gc.get_freeze_count():
        yield
        return
    gc.collect()
    gc.freeze()
    try:
        yield
    finally:
        gc.unfreeze()


def mark_as_own(tensor: Tensor) -> None:
    """Leave a tensor of the audit's own records out of later counts."""
    setattr(tensor, _OWN, True)


def count_live_tensors() -> LiveTensors:
    """Count, after a collection of garbage; tensors on the meta device hold no bytes."""
    gc.collect()
    graphs = 0
    roots: list[Any] = []
    storages: dict[int, int] = {}
    with torch._C.DisableTorchFunction():
        things = gc.get_objects()
        kinds = {kind for kind in set(map(type, things)) if issubclass(kind, Tensor)}
        for thing in things:
            if type(thing) not in kinds:
                continue
            if _OWN in getattr(thing, "__dict__", ()):
                continue
            if thing.grad_fn is not None:
                graphs += 1
                roots.append(thing.grad_fn)
            if thing.layout is torch.strided and thing.device.type != "meta":
                storage = thing.untyped_storage()
                storages[storage.data_ptr()] = storage.nbytes()
    return LiveTensors(graphs, _count_nodes(roots), sum(storages.values()))


def _count_nodes(roots: list[Any]) -> int:
    """How many nodes the graphs behind some tensors have: a sum of losses is one tensor whose graph grows."""
    waiting = list(roots)
    seen: set[Any] = set()
    while waiting and len(seen) < _MOST_NODES:
        node = waiting.pop()
        if node not in seen:
            seen.add(node)
            waiting.extend(inner for inner, _ in node.next_functions if inner is not None)
    return len(seen)

"""Count the tensors that are alive."""

from __future__ import annotations

import gc
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import torch
from torch import Tensor

_OWN = "_kept_by_the_audit"


@dataclass(frozen=True, slots=True)
class LiveTensors:
    """How many tensors are alive, how many of them have a graph behind them, and the bytes of their storages."""

    tensors: int = 0
    graphs: int = 0
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
    tensors = graphs = 0
    storages: dict[int, int] = {}
    with torch._C.DisableTorchFunction():
        things = gc.get_objects()
        kinds = {kind for kind in set(map(type, things)) if issubclass(kind, Tensor)}
        for thing in things:
            if type(thing) not in kinds:
                continue
            if _OWN in getattr(thing, "__dict__", ()):
                continue
            tensors += 1
            graphs += thing.grad_fn is not None
            if thing.layout is torch.strided and thing.device.type != "meta":
                storage = thing.untyped_storage()
                storages[storage.data_ptr()] = storage.nbytes()
    return LiveTensors(tensors, graphs, sum(storages.values()))

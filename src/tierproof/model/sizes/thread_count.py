"""Limit the number of CPU threads for a small model, which runs slower on many."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import nn
from torch.nn.parameter import is_lazy

# A hand-over between threads takes longer than the whole of a layer of such a model.
_SMALL_PARAMETERS = 1_000_000


@contextmanager
def limit_threads(model: nn.Module) -> Iterator[None]:
    """Inside the `with`, run a small model on one thread; the process's number of threads is restored on exit.

    OpenMP's threads wait for one another in a loop. Where another process has one of the cores, every layer waits
    for the scheduler's next turn: on two cores with one busy, a GPT of 100,000 parameters was checked in 0.8 s on one
    thread and in 20 s on two.
    """
    threads = torch.get_num_threads()
    if sum(p.numel() for p in model.parameters() if not is_lazy(p)) > _SMALL_PARAMETERS:
        yield
        return
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(threads)

"""Limit the number of CPU threads for a small model, which runs slower on many."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch

# A hand-over between threads takes longer than the whole of a layer of such a model.
_SMALL_PARAMETERS = 1_000_000


@contextmanager
def limit_threads(parameters: int) -> Iterator[None]:
    """Inside the `with`, run a small model on one thread; the process's number of threads is restored on exit.

    OpenMP's threads wait for one another in a loop. Where another process has one of the cores, every layer waits
    for the scheduler's next turn: on two cores with one busy, a GPT of 100,000 parameters was checked in 0.8 s on one
    thread and in 20 s on two.

    Args:
        parameters: how many the model has.
    """
    threads = torch.get_num_threads()
    if parameters > _SMALL_PARAMETERS:
        yield
        return
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(threads)


@contextmanager
def use_one_thread() -> Iterator[None]:
    """Inside the `with`, PyTorch computes on one thread: over tensors that fit into a cache, threads only wait."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(threads)

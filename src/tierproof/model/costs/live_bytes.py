"""Measure the peak memory of a function: by live tensors on the CPU, by the allocator's count on CUDA."""

from __future__ import annotations

import weakref
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from tierproof.model.sizes.parameter_count import find_dense_parts


@dataclass(frozen=True)
class LiveBytes:
    """The memory that a function used in addition to what was in use before.

    Attributes:
        peak_bytes: the most at any moment.
        kept_bytes: still alive after it returned.
        source: "allocator" (CUDA) or "live tensors" (elsewhere; an operator's own workspace is not seen).
    """

    peak_bytes: int
    kept_bytes: int
    source: str


def measure_live_bytes(run: Callable[[], object], device: torch.device) -> LiveBytes:
    """Run `run` once and measure the memory it takes; its result is dropped before `kept_bytes` is read."""
    if device.type == "cuda":
        return _measure_cuda(run, device)
    live = LiveTensors(count_meta=device.type == "meta")
    with live:
        run()
    return LiveBytes(live.peak_bytes, live.current_bytes, "live tensors")


def _measure_cuda(run: Callable[[], object], device: torch.device) -> LiveBytes:
    torch.cuda.synchronize(device)
    torch.cuda.reset_peak_memory_stats(device)
    before = torch.cuda.memory_allocated(device)
    run()
    torch.cuda.synchronize(device)
    peak = torch.cuda.max_memory_allocated(device)
    return LiveBytes(peak - before, torch.cuda.memory_allocated(device) - before, "allocator")


class LiveTensors(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """Inside the `with`, counts every storage that an operator allocates, until it is freed.

    Attributes:
        current_bytes: bytes allocated inside the `with` and still alive.
        peak_bytes: the largest value of `current_bytes`.
    """

    def __init__(self, *, count_meta: bool = False) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.current_bytes = 0
        self.peak_bytes = 0
        self._count_meta = count_meta
        self._known: dict[int, weakref.ref[Any]] = {}

    @classmethod
    def _should_skip_dynamo(cls) -> bool:
        """Say that nothing here must be hidden from a compiler: the wrapper that hides it imports one.

        That import takes seconds in a fresh process.
        """
        return False

    def __torch_dispatch__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        """Run the operator; what it returns and was not given is new."""
        kwargs = kwargs or {}
        self._see((args, kwargs), new=False)
        result = func(*args, **kwargs)
        self._see(result, new=True)
        return result

    def _see(self, values: Any, *, new: bool) -> None:
        for value in tree_leaves(values):
            if not isinstance(value, Tensor) or (value.device.type == "meta" and not self._count_meta):
                continue
            for part in find_dense_parts(value):
                storage = part.untyped_storage()
                if storage._cdata not in self._known:
                    self._follow(storage, storage.nbytes() if new else 0)

    def _follow(self, storage: torch.UntypedStorage, size: int) -> None:
        key = storage._cdata

        def forget(_: object) -> None:
            self._known.pop(key, None)
            self.current_bytes -= size

        self._known[key] = weakref.ref(storage, forget)
        self.current_bytes += size
        self.peak_bytes = max(self.peak_bytes, self.current_bytes)

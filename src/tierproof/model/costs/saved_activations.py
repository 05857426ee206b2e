"""Measure the bytes that the autograd graph keeps for the backward pass."""

from __future__ import annotations

import weakref
from collections import Counter
from collections.abc import Iterable
from functools import partial
from types import TracebackType
from typing import Any, Self

import torch
from torch import Tensor, nn
from torch.nn.modules import module as nn_module

from tierproof.model.sizes.parameter_count import find_dense_parts


class SavedActivations:
    """Inside the `with`, counts the bytes that operations save for backward; each storage counts once.

    Parameters, buffers and the tensors in `inputs` are not counted, because they exist anyway. What is freed before
    the end (a part of the graph that was dropped) is not counted either, so read `bytes` while the outputs are
    still alive.
    """

    def __init__(self, model: nn.Module, inputs: Iterable[Tensor] = ()) -> None:
        self._names = {id(module): name for name, module in model.named_modules()}
        self._excluded = {
            part.untyped_storage()._cdata: part  # held, so that the address stays taken
            for tensor in (*model.parameters(), *model.buffers(), *inputs)
            for part in find_dense_parts(tensor)
        }
        # For a model on meta, what it would keep is counted; elsewhere meta tensors take no memory.
        self._on_meta = any(parameter.is_meta for parameter in model.parameters())
        self._saved: dict[int, tuple[int, str, weakref.ref[Any]]] = {}
        self._executing: list[str] = []
        self._hooks: Any = None
        self._handles: list[Any] = []

    @property
    def bytes(self) -> int:
        """Bytes kept at this moment."""
        return sum(size for size, _, _ in self._saved.values())

    @property
    def storages(self) -> int:
        """Storages kept at this moment."""
        return len(self._saved)

    def by_module(self) -> dict[str, int]:
        """Bytes by the innermost module that was executing when they were saved, largest first."""
        sizes: Counter[str] = Counter()
        for size, name, _ in self._saved.values():
            sizes[name] += size
        return dict(sizes.most_common())

    def __enter__(self) -> Self:
        self._handles = [
            nn_module.register_module_forward_pre_hook(self._enter_module),
            nn_module.register_module_forward_hook(self._leave_module, always_call=True),
        ]
        self._hooks = torch.autograd.graph.saved_tensors_hooks(self._pack, _unpack)
        self._hooks.__enter__()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._hooks.__exit__(kind, error, traceback)
        for handle in self._handles:
            handle.remove()

    def _enter_module(self, module: nn.Module, _: object) -> None:
        self._executing.append(self._names.get(id(module), ""))

    def _leave_module(self, *_: object) -> None:
        if self._executing:
            self._executing.pop()

    def _pack(self, tensor: Tensor) -> Tensor:
        for part in find_dense_parts(tensor):
            storage = part.untyped_storage()
            key = storage._cdata
            counted = self._on_meta or storage.device.type != "meta"
            if key not in self._excluded and key not in self._saved and counted:
                place = self._executing[-1] if self._executing else ""
                gone = weakref.ref(storage, partial(self._forget, key))
                self._saved[key] = (storage.nbytes(), place, gone)
        # Not the tensor itself: an output that its own node saves would hold that node, and never be freed.
        return tensor.detach()

    def _forget(self, key: int, _: object) -> None:
        self._saved.pop(key, None)


def _unpack(tensor: Tensor) -> Tensor:
    return tensor

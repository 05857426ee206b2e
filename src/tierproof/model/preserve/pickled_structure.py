"""Pickle and unpickle a model's structure around its own tensors, which are not copied."""

from __future__ import annotations

import io
import pickle
from typing import Any

from torch import Tensor, nn


class _StructurePickler(pickle.Pickler):
    def __init__(self, stream: io.BytesIO, tensors: list[Tensor]) -> None:
        super().__init__(stream, protocol=pickle.HIGHEST_PROTOCOL)
        self._tensors = tensors
        self._numbers: dict[int, int] = {}

    def persistent_id(self, obj: Any) -> int | None:
        """Give plain tensors a number instead of their bytes."""
        if type(obj) not in (Tensor, nn.Parameter):
            return None
        if id(obj) not in self._numbers:
            self._numbers[id(obj)] = len(self._tensors)
            self._tensors.append(obj)
        return self._numbers[id(obj)]


class _StructureUnpickler(pickle.Unpickler):
    def __init__(self, stream: io.BytesIO, tensors: list[Tensor]) -> None:
        super().__init__(stream)
        self._tensors = tensors

    def persistent_load(self, pid: Any) -> Tensor:
        """Give the tensor of that number."""
        return self._tensors[int(pid)]


def pickle_structure(model: nn.Module) -> nn.Module:
    """Return `pickle.loads(pickle.dumps(model))`, but around the model's own tensors.

    It unpickles only what it has just pickled itself.

    Raises:
        Exception: what pickle or the model's own `__getstate__`, `__setstate__` or `__reduce__` raises.
    """
    tensors: list[Tensor] = []
    stream = io.BytesIO()
    _StructurePickler(stream, tensors).dump(model)
    stream.seek(0)
    loaded: nn.Module = _StructureUnpickler(stream, tensors).load()
    return loaded

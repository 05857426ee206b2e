"""How many parameters a model has, and how many bytes, with everything shared counted once."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn.parameter import is_lazy


@dataclass(frozen=True)
class ParameterCount:
    """The number of parameters and buffers of a model, in elements and in bytes.

    Attributes:
        parameters: elements over all parameters; a tie, or two parameters on one storage, counts once.
        trainable: those of parameters that require gradients.
        parameter_bytes, trainable_bytes: the same in bytes.
        buffers: elements over all buffers that are not already counted as parameters.
        buffer_bytes: the same in bytes.
        ties: groups of names that lead to one parameter, or to one storage.
        uninitialized: names of lazy parameters, whose shapes are not known yet.
    """

    parameters: int
    trainable: int
    parameter_bytes: int
    trainable_bytes: int
    buffers: int
    buffer_bytes: int
    ties: tuple[tuple[str, ...], ...] = ()
    uninitialized: tuple[str, ...] = ()

    @property
    def bytes(self) -> int:
        """Parameters and buffers, each storage counted once."""
        return self.parameter_bytes + self.buffer_bytes


def count_parameters(model: nn.Module) -> ParameterCount:
    """Count parameters and buffers; works on the meta device and on lazy modules too."""
    named = list(model.named_parameters(remove_duplicate=False))
    lazy = tuple(name for name, tensor in named if is_lazy(tensor))
    parameters = [(name, tensor) for name, tensor in named if not is_lazy(tensor)]
    counted = StorageUnion()
    trainable = counted.add_all(tensor for _, tensor in parameters if tensor.requires_grad)
    frozen = counted.add_all(tensor for _, tensor in parameters if not tensor.requires_grad)
    buffers = counted.add_all(tensor for tensor in model.buffers() if not is_lazy(tensor))
    return ParameterCount(
        parameters=trainable[0] + frozen[0],
        trainable=trainable[0],
        parameter_bytes=trainable[1] + frozen[1],
        trainable_bytes=trainable[1],
        buffers=buffers[0],
        buffer_bytes=buffers[1],
        ties=_find_ties(parameters),
        uninitialized=lazy,
    )


class StorageUnion:
    """Counts tensors so that no byte of any storage is counted twice."""

    def __init__(self) -> None:
        self._covered: dict[int, list[tuple[int, int]]] = {}
        self._kept: list[object] = []  # a freed storage could lend its address to another

    def add_all(self, tensors: Iterable[Tensor]) -> tuple[int, int]:
        """Elements and bytes that these tensors add to what was counted before."""
        elements = size = 0
        for tensor in tensors:
            for part in find_dense_parts(tensor):
                added = self._add(part)
                elements += added // part.element_size()
                size += added
        return elements, size

    def _add(self, tensor: Tensor) -> int:
        storage = tensor.untyped_storage()
        self._kept.append(storage)
        start = int(tensor.storage_offset()) * tensor.element_size()
        stop = start + min(tensor.numel() * tensor.element_size(), storage.nbytes())
        covered = self._covered.setdefault(storage._cdata, [])
        added = stop - start - sum(max(0, min(stop, high) - max(start, low)) for low, high in covered)
        if added > 0:
            covered.append((start, stop))
            self._covered[storage._cdata] = _merge(covered)
        return max(added, 0)


def _merge(intervals: list[tuple[int, int]]) -> list[tuple[int, int]]:
    merged: list[tuple[int, int]] = []
    for start, stop in sorted(intervals):
        if merged and start <= merged[-1][1]:
            merged[-1] = (merged[-1][0], max(stop, merged[-1][1]))
        else:
            merged.append((start, stop))
    return merged


def find_dense_parts(tensor: Tensor) -> tuple[Tensor, ...]:
    """The tensors with a storage that a tensor is made of: itself, or the parts of a sparse one."""
    if tensor.layout is torch.sparse_coo:
        return (tensor._indices(), tensor._values())
    if tensor.layout in (torch.sparse_csr, torch.sparse_bsr):
        return (tensor.crow_indices(), tensor.col_indices(), tensor.values())
    if tensor.layout in (torch.sparse_csc, torch.sparse_bsc):
        return (tensor.ccol_indices(), tensor.row_indices(), tensor.values())
    return (tensor,) if tensor.layout is torch.strided else ()


def _find_ties(parameters: Sequence[tuple[str, Tensor]]) -> tuple[tuple[str, ...], ...]:
    groups: dict[tuple[int, int, int], list[str]] = {}
    for name, tensor in parameters:
        if tensor.layout is torch.strided and tensor.numel():
            key = (tensor.untyped_storage()._cdata, int(tensor.storage_offset()), tensor.numel())
            groups.setdefault(key, []).append(name)
    return tuple(tuple(names) for names in groups.values() if len(names) > 1)

"""Record and restore tensors: the metadata in a `TensorRecord`, the bytes in a `StorageBackup`."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import torch
from torch import Tensor

from tierproof.model.sizes.tensor_place import read_storage_address

# A storage up to this size is compared bit for bit each time; a larger one when its version has moved.
ALWAYS_COMPARED_BYTES = 1 << 20
_CHUNK_BYTES = 64 << 20
_HOOK_TABLES = ("_backward_hooks", "_post_accumulate_grad_hooks")


class TensorRecord:
    """The recorded identity, storage, class, shape, gradient and hooks of one tensor.

    It does not hold the values: several tensors may share a storage, which a `StorageBackup` copies once.
    """

    def __init__(self, path: str, tensor: Tensor) -> None:
        self.path = path
        self.tensor = tensor
        self.cls = type(tensor)
        self.is_leaf = tensor.is_leaf
        self.requires_grad = tensor.requires_grad
        self.keeps_grad = tensor.is_leaf or tensor.retains_grad
        self.grad = tensor.grad if self.keeps_grad else None
        self.hooks = {name: getattr(tensor, name) for name in _HOOK_TABLES if hasattr(tensor, name)}
        self.grad_fn = tensor.grad_fn
        self.version = read_version(tensor)
        self.alias = tensor.detach()
        self.layout = _describe_layout(tensor)

    @property
    def changed_version(self) -> bool:
        """Whether autograd has counted an in-place change; True for a tensor without a version counter."""
        return self.version is None or read_version(self.tensor) != self.version

    def restore(self) -> str:
        """Restore everything but the values; return what could not be restored, or an empty string."""
        tensor, lost = self.tensor, ""
        if type(tensor) is not self.cls:
            object.__setattr__(tensor, "__class__", self.cls)
        if self.is_leaf and not tensor.is_leaf:
            self._make_leaf_again()
        elif tensor.grad_fn is not self.grad_fn and not self.is_leaf:
            lost = f"{self.path}: the autograd history of a tensor that was changed in place"
        if _describe_layout(tensor) != self.layout:
            if self.is_leaf and tensor.grad is not None:
                tensor.grad = None  # it need not fit the earlier dtype, shape or device
            tensor.data = self.alias
        if self.is_leaf and tensor.requires_grad != self.requires_grad:
            tensor.requires_grad_(self.requires_grad)
        if self.keeps_grad and tensor.grad is not self.grad:
            tensor.grad = self.grad
        for name, hooks in self.hooks.items():
            if getattr(tensor, name) is not hooks:
                setattr(tensor, name, hooks)
        return lost

    def _make_leaf_again(self) -> None:
        """A buffer that was written in place with something differentiable has grown a history."""
        try:
            self.tensor.detach_()
        except RuntimeError:  # a view: exchange what is behind the object for the alias, which has no history
            attributes = dict(self.tensor.__dict__)
            torch.utils.swap_tensors(self.tensor, self.alias.detach())  # type: ignore[no-untyped-call]
            self.tensor.__dict__.update(attributes)

    def reset_version(self) -> None:
        """Reset the version counter, so that a graph the user built before still accepts the tensor."""
        if self.version is not None and self.changed_version:
            torch._C._autograd._unsafe_set_version_counter((self.tensor,), (self.version,))


def read_version(tensor: Tensor) -> int | None:
    """The number of in-place changes that autograd has counted; None for an inference tensor."""
    return None if tensor.is_inference() else tensor._version


def _describe_layout(tensor: Tensor) -> tuple[Any, ...]:
    """Everything that `.data = ` could have changed, comparable with `==`."""
    start: tuple[Any, ...] = (tensor.dtype, tensor.device, tensor.layout)
    if tensor.is_nested or tensor.layout is not torch.strided:
        return (*start, _find_components(tensor))
    storage = _find_storage(tensor)
    address = None if storage is None else (storage._cdata, tensor.storage_offset())
    return (*start, tuple(tensor.size()), tensor.stride(), address)


def _find_components(tensor: Tensor) -> object:
    """Identity of what a sparse tensor is made of: an operation in place may exchange it."""
    if tensor.layout is torch.sparse_coo:
        return (
            tuple(tensor.size()),
            tensor._indices().data_ptr(),
            tensor._values().data_ptr(),
            tensor._nnz(),
        )
    if tensor.layout in (torch.sparse_csr, torch.sparse_csc, torch.sparse_bsr, torch.sparse_bsc):
        return (tuple(tensor.size()), tensor.values().data_ptr())
    return None


def _find_storage(tensor: Tensor) -> torch.UntypedStorage | None:
    try:
        return tensor.untyped_storage()
    except (NotImplementedError, RuntimeError):  # sparse, mkldnn and some wrapper subclasses have none
        return None


class StorageBackup:
    """A copy of one storage's bytes, from the first to the last that any recorded tensor uses."""

    def __init__(
        self, storage: torch.UntypedStorage, start: int, stop: int, owners: list[TensorRecord]
    ) -> None:
        self.storage = storage
        self.storage_bytes = storage.nbytes()
        self.owners = owners
        self.path = owners[0].path if owners else "a tensor"
        # Whole words where possible: comparing int64 is five times faster than comparing bytes.
        self.start, self.stop = start - start % 8, min(stop + -stop % 8, self.storage_bytes)
        self.word = torch.int64
        if storage.data_ptr() % 8 or self.stop % 8:
            self.word = torch.uint8
        live = self._view()
        self.copy = live.to(_choose_place(live), copy=True)

    @property
    def size_bytes(self) -> int:
        """How many bytes are kept."""
        return self.stop - self.start

    def restore(self, *, compare_all: bool) -> None:
        """Write back the bytes that differ, in chunks.

        Without `compare_all` a large storage is looked at only if its version has moved.
        """
        if self.storage.nbytes() != self.storage_bytes:
            self.storage.resize_(self.storage_bytes)
        small = self.size_bytes <= ALWAYS_COMPARED_BYTES
        if not (compare_all or small or any(owner.changed_version for owner in self.owners)):
            return
        live, step = self._view(), _CHUNK_BYTES // self.word.itemsize
        for start in range(0, live.numel(), step):
            now, kept = live[start : start + step], self.copy[start : start + step].to(live.device)
            if not torch.equal(now, kept):
                now.copy_(kept)

    def _view(self) -> Tensor:
        """The bytes as a tensor with a version of its own: writing through it leaves the owners' alone."""
        size = self.word.itemsize
        empty = torch.empty(0, dtype=self.word, device=self.storage.device)
        return empty.set_(self.storage, self.start // size, ((self.stop - self.start) // size,), (1,))


def _choose_place(live: Tensor) -> torch.device:
    """Beside the original, unless that would take a large part of what a GPU has left."""
    if live.device.type == "cuda":
        free, _ = torch.cuda.mem_get_info(live.device)
        if free < 4 * live.nbytes:
            return torch.device("cpu")
    return live.device


class ComponentBackup:
    """A copy of a tensor without an accessible storage (mkldnn and the like)."""

    def __init__(self, record: TensorRecord) -> None:
        self.record = record
        self.path = record.path
        self.copy = record.alias.clone()

    def restore(self, *, compare_all: bool) -> None:
        """Replace the values by a copy of the originals if they may have changed."""
        if compare_all or self.record.changed_version:
            self.record.tensor.data = self.copy.clone()


def back_up_storages(
    records: Iterable[TensorRecord], registered: set[int], spare_bytes: int
) -> tuple[list[StorageBackup | ComponentBackup], list[str]]:
    """Copy the values of the tensors, each storage once.

    Args:
        records: the tensors.
        registered: ids of parameters, buffers and gradients, which are always copied.
        spare_bytes: how much may be copied beyond those.

    Returns:
        the backups, and the paths of tensors that were not copied, with the reason.
    """
    ranges: dict[int, _Range] = {}
    backups: list[StorageBackup | ComponentBackup] = []
    skipped = []
    for record in records:
        storage = _find_storage(record.alias)
        if storage is None:
            if record.alias.layout is torch._mkldnn:  # type: ignore[attr-defined]
                backups.append(ComponentBackup(record))
            continue
        if storage.device.type == "meta" or storage.nbytes() == 0 or read_storage_address(record.alias) == 0:
            continue
        found = ranges.setdefault(storage._cdata, _Range(storage))
        found.add(record, id(record.tensor) in registered)
    for found in ranges.values():
        if not found.registered:
            if found.stop - found.start > spare_bytes:
                size = found.stop - found.start
                skipped.append(f"{found.owners[0].path}: an unregistered tensor of {size} bytes")
                continue
            spare_bytes -= found.stop - found.start
        backups.append(StorageBackup(found.storage, found.start, found.stop, found.owners))
    return backups, skipped


class _Range:
    """The part of one storage that recorded tensors show."""

    def __init__(self, storage: torch.UntypedStorage) -> None:
        self.storage = storage
        self.start, self.stop = storage.nbytes(), 0
        self.owners: list[TensorRecord] = []
        self.registered = False

    def add(self, record: TensorRecord, registered: bool) -> None:
        start, stop = find_byte_range(record.alias)
        self.start, self.stop = min(self.start, start), max(self.stop, stop)
        self.owners.append(record)
        self.registered |= registered


def find_byte_range(tensor: Tensor) -> tuple[int, int]:
    """The first byte, and one past the last byte, that a tensor uses of its storage."""
    if tensor.is_nested:
        return 0, tensor.untyped_storage().nbytes()
    start = int(tensor.storage_offset()) * tensor.element_size()
    if tensor.numel() == 0:
        return start, start
    last = sum((size - 1) * int(step) for size, step in zip(tensor.shape, tensor.stride(), strict=True))
    return start, start + (last + 1) * tensor.element_size()

"""Where a tensor lies, for tensors of every kind."""

from __future__ import annotations

from torch import Tensor


def find_place(tensor: Tensor) -> int:
    """The address of the first element; the object's own where nothing lies anywhere (meta, sparse, a wrapper).

    Two tensors of one place show the same values, as long as both are alive.
    """
    return read_address(tensor) or id(tensor)


def read_address(tensor: Tensor) -> int:
    """The address of the first element; 0 for a tensor without memory of its own."""
    try:
        return 0 if tensor.is_meta else tensor.data_ptr()
    except (RuntimeError, NotImplementedError):
        return 0


def read_storage_address(tensor: Tensor) -> int:
    """The address of the storage; 0 for a tensor without one of its own."""
    try:
        return 0 if tensor.is_meta else tensor.untyped_storage().data_ptr()
    except (RuntimeError, NotImplementedError):
        return 0

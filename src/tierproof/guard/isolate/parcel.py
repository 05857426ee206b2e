"""Python objects as a message: a pickle, and beside it the memory of arrays and tensors, uncopied.

Both the process that asks and its worker use this file. They may run different versions of numpy and torch, so
an array or tensor is taken apart and put together again with what every version offers.
"""

from __future__ import annotations

import ctypes
import io
import pickle
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from importlib import import_module
from types import FunctionType, ModuleType
from typing import Any

from tierproof.errors import MissingPackageError, UsageError

# Below this, a buffer of its own costs more than it saves.
_IN_BAND_BYTES = 512


@dataclass(frozen=True, slots=True)
class Parcel:
    """An object, ready to be sent.

    Attributes:
        payload: its pickle, protocol 5.
        buffers: memory that the pickle refers to, in order; still that of the arrays themselves.
        copies: how often the data of an array was copied so far, at worst: 1 where one was not contiguous.
    """

    payload: bytes
    buffers: tuple[memoryview, ...]
    copies: int = 0


class _NotImportable(pickle.PicklingError):
    """A function or class that another process cannot import by its name."""


def pack(value: object) -> Parcel:
    """Pack an object. A function or class of a notebook or script is sent by value, which needs cloudpickle.

    Raises:
        MissingPackageError: cloudpickle is needed but not installed.
        UsageError: it cannot be pickled.
    """
    try:
        return _pack_with(pickle.Pickler, value)
    except Exception as error:  # noqa: BLE001 - whatever stops pickle, cloudpickle may know better
        refusal = error
    try:
        by_value = import_module("cloudpickle").Pickler
    except ModuleNotFoundError as error:
        if _is_about_names(refusal):
            raise _missing_cloudpickle(refusal) from error
        raise _unpicklable(refusal) from refusal
    try:
        return _pack_with(by_value, value)
    except Exception as error:
        raise _unpicklable(error) from error


def unpack(payload: bytes | bytearray | memoryview, buffers: Sequence[memoryview]) -> Any:
    """Return the object; its arrays live in `buffers`."""
    return pickle.loads(payload, buffers=buffers)


def _pack_with(kind: Any, value: object) -> Parcel:
    """Pack with one kind of pickler: pickle's own, or cloudpickle's."""
    stream = io.BytesIO()
    buffers: list[memoryview] = []
    takers = _Takers()

    def keep(buffer: pickle.PickleBuffer) -> bool:
        view = buffer.raw()
        if view.nbytes < _IN_BAND_BYTES:
            return True
        buffers.append(view)
        return False

    def override(pickler: Any, item: object) -> Any:
        reduced = takers.reduce(item)
        if reduced is not NotImplemented:
            return reduced
        if kind is pickle.Pickler:
            _refuse_names_of_main(item)
            return NotImplemented
        return kind.reducer_override(pickler, item)

    pickler = type("Pickler", (kind,), {"reducer_override": override})(
        stream, protocol=5, buffer_callback=keep
    )
    pickler.dump(value)
    return Parcel(stream.getvalue(), tuple(buffers), takers.copies)


class _Takers:
    """Take arrays and tensors apart; counts copies, and knows the storages that were met before."""

    def __init__(self) -> None:
        self.copies = 0
        self._numpy = sys.modules.get("numpy")
        self._torch = sys.modules.get("torch")
        self._storages: dict[int, _Storage] = {}

    def reduce(self, item: Any) -> Any:
        kind = type(item)
        if kind is _Storage:
            return rebuild_storage, (pickle.PickleBuffer(item.memory),)
        if self._numpy is not None and kind is getattr(self._numpy, "ndarray", None):
            return self._reduce_array(item, self._numpy)
        if self._torch is not None and kind in _find_tensor_types(self._torch):
            return self._reduce_tensor(item, self._torch)
        return NotImplemented

    def _reduce_array(self, array: Any, numpy: ModuleType) -> Any:
        if array.dtype.hasobject or array.dtype.itemsize == 0:
            return NotImplemented
        order = "F" if array.flags.f_contiguous and not array.flags.c_contiguous else "C"
        if not array.flags.c_contiguous and order == "C":
            writeable = array.flags.writeable
            array = numpy.ascontiguousarray(array)
            array.flags.writeable = writeable
            self.copies = 1
        flat = (array.T if order == "F" else array).reshape(-1).view("u1")
        return rebuild_array, (pickle.PickleBuffer(flat), array.dtype, array.shape, order)

    def _reduce_tensor(self, tensor: Any, torch: ModuleType) -> Any:
        if not _is_plain(tensor, torch):
            return NotImplemented
        kind, needs_grad = type(tensor).__name__, tensor.requires_grad
        tensor = tensor.detach()
        if 2 * tensor.numel() * tensor.element_size() < tensor.untyped_storage().nbytes():
            # A few rows of a data set: the rest of its storage stays here.
            tensor = tensor.contiguous().clone()
            self.copies = 1
        storage = tensor.untyped_storage()
        if storage.data_ptr() not in self._storages:
            self._storages[storage.data_ptr()] = _Storage(storage)
        held = self._storages[storage.data_ptr()]
        place = (tensor.storage_offset(), tuple(tensor.shape), tensor.stride())
        return rebuild_tensor, (held, tensor.dtype, place, kind, needs_grad)


class _Storage:
    """The memory of a tensor; tensors that share one go on sharing it."""

    def __init__(self, storage: Any) -> None:
        self._alive = storage
        self.memory = (ctypes.c_ubyte * storage.nbytes()).from_address(storage.data_ptr() or 1)


def rebuild_array(memory: Any, dtype: Any, shape: tuple[int, ...], order: str) -> Any:
    """Put an array together in `memory`; it is writable where the memory is."""
    return import_module("numpy").ndarray(shape, dtype, buffer=memory, order=order)


def rebuild_storage(memory: Any) -> Any:
    """Put a torch storage together in `memory`."""
    torch = import_module("torch")
    if not memoryview(memory).nbytes:
        return torch.UntypedStorage(0)
    return torch.frombuffer(memory, dtype=torch.uint8).untyped_storage()


def rebuild_tensor(
    storage: Any,
    dtype: Any,
    place: tuple[int, tuple[int, ...], tuple[int, ...]],
    kind: str,
    needs_grad: bool,
) -> Any:
    """Put a tensor together in `storage`."""
    torch = import_module("torch")
    tensor = torch.empty(0, dtype=dtype).set_(storage, *place)
    if kind == "Parameter":
        return torch.nn.Parameter(tensor, requires_grad=needs_grad)
    return tensor.requires_grad_(needs_grad)


def _find_tensor_types(torch: ModuleType) -> tuple[Any, ...]:
    nn = getattr(torch, "nn", None)
    return (getattr(torch, "Tensor", None), getattr(nn, "Parameter", None))


def _is_plain(tensor: Any, torch: ModuleType) -> bool:
    """Tell whether a tensor is its values in the processor's memory and nothing else."""
    return (
        tensor.device.type == "cpu"
        and tensor.layout is torch.strided
        and not (tensor.is_quantized or tensor.is_conj() or tensor.is_neg())
        and not vars(tensor)
        and not tensor._backward_hooks  # torch has no public way to ask
    )


def _refuse_names_of_main(item: object) -> None:
    if isinstance(item, FunctionType | type) and item.__module__ == "__main__":
        raise _NotImportable(f"{item.__qualname__} is defined in a notebook or script")


def _is_about_names(error: Exception) -> bool:
    return isinstance(error, _NotImportable) or "local object" in str(error) or "<lambda>" in str(error)


def _missing_cloudpickle(refusal: Exception) -> MissingPackageError:
    feature = "to send the worker process a function or class that it cannot import"
    return MissingPackageError(
        f"cloudpickle is needed {feature} ({refusal}), but cloudpickle is not installed.",
        package="cloudpickle",
        feature=feature,
        command="tierproof install cloudpickle",
        hint=(
            'Add it to this process:  import tierproof as tp; tp.install("cloudpickle")   (it is pure Python and needs '
            "nothing else)\n"
            "Or move the function into a .py file next to the notebook and import it from there."
        ),
    )


def _unpicklable(error: Exception) -> UsageError:
    return UsageError(
        f"the object cannot be sent between processes: {type(error).__name__}: {error}",
        hint="Create open files, locks, generators and connections inside the function.",
    )

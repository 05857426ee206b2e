"""Run a model as if it were on another device, with real values and without such a device.

A moved tensor reports that it is on `meta`, and computes with a real tensor behind it. So `x.device`, factory
functions with `device=x.device`, `.to(device)` and branches on values behave as on a GPU. Each operation that
mixes a moved tensor with one that was left on the CPU, where a GPU would raise, is recorded.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from torch.overrides import TorchFunctionMode
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_flatten, tree_map

from tierproof.model.observe.execution_trace import ExecutionTrace

ELSEWHERE = torch.device("meta")

# Operations that take tensors of several devices on purpose.
_COPIES = frozenset({"copy_", "_to_copy", "set_", "is_set_to"})
_INDEXED = frozenset(
    {"index", "index_put", "index_put_", "_index_put_impl_", "_unsafe_index", "_unsafe_index_put"}
)
# Their lengths and batch sizes have to be on the CPU.
_PACKED = frozenset({"_pack_padded_sequence", "_pad_packed_sequence", "lstm", "gru", "rnn_tanh", "rnn_relu"})


class MovedTensor(Tensor):
    """A tensor that reports another device; `real_values` is the tensor that it computes with."""

    real_values: Tensor

    @staticmethod
    def __new__(cls, real: Tensor) -> MovedTensor:
        """Wrap `real`, which is strided."""
        made: MovedTensor = Tensor._make_wrapper_subclass(
            cls,
            real.size(),
            strides=real.stride(),
            storage_offset=real.storage_offset(),
            dtype=real.dtype,
            layout=real.layout,
            device=ELSEWHERE,
        )
        made.real_values = real
        return made

    __torch_function__ = torch._C._disabled_torch_function_impl  # type: ignore[assignment]

    @classmethod
    def __torch_dispatch__(  # type: ignore[override]
        cls, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: Mapping[str, Any] | None = None
    ) -> Any:
        """Compute on the real tensors, also where no `DeviceWatch` is active."""
        return _compute(func, args, kwargs or {})


# opt_einsum and autoray choose how to compute by the first word of this name.
MovedTensor.__module__ = "torch"


@dataclass(frozen=True)
class DeviceMix:
    """One operation that mixes devices, which a GPU would refuse.

    Attributes:
        path: of the module that ran it.
        operation: its name.
        stray: the tensor that was left on the CPU.
        origin: how the stray tensor was created, in words; empty if it existed before the pass.
        chosen: the code asked for its device, which may be another one where there is a GPU.
    """

    path: str
    operation: str
    stray: Tensor
    origin: str
    chosen: bool = False


class DeviceWatch(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """While active, makes factory functions honour `ELSEWHERE`, and collects operations that mix devices in `mixes`."""

    def __init__(self, trace: ExecutionTrace) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.mixes: list[DeviceMix] = []
        self._trace = trace
        # By storage; the tensors are held so that no address is given out twice.
        self._origins: dict[int, tuple[str, bool, Tensor]] = {}
        # Set by `CallWatch` while a call runs that names a device other than `ELSEWHERE`.
        self.device_was_asked = False

    @classmethod
    def _should_skip_dynamo(cls) -> bool:
        """Say that nothing here must be hidden from a compiler: the wrapper that hides it imports one."""
        return False

    def __torch_dispatch__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: Mapping[str, Any] | None = None
    ) -> Any:
        """Look at the devices, then compute."""
        kwargs = kwargs or {}
        name = func._schema.name.partition("::")[2]
        tensors = _tensors_of((args, kwargs))
        strays = [t for t in tensors if not isinstance(t, MovedTensor) and t.dim()]
        if strays and len(strays) < len(tensors) and _mixes(name, args, strays):
            stray = strays[0]
            self.mixes.append(DeviceMix(self._trace.current, name, stray, *self._find_origin(stray)))
        result = _compute(func, args, kwargs)
        for made in _tensors_of(result):
            if not isinstance(made, MovedTensor) and made.device.type != "meta":
                origin, chosen = self._find_origin(strays[0]) if strays else ("", False)
                chosen |= self.device_was_asked
                if not tensors or (chosen and not origin):
                    origin = f"made by torch.{name} in {self._trace.current or 'the model'}"
                if origin:
                    self._origins.setdefault(made.untyped_storage().data_ptr(), (origin, chosen, made))
        return result

    def note_chosen(self, value: Any) -> None:
        """Note that the code asked for the device of a tensor, also where it was on that device before."""
        if (
            not isinstance(value, Tensor)
            or isinstance(value, MovedTensor)
            or value.layout is not torch.strided
        ):
            return
        origin, _ = self._find_origin(value)
        place = origin or f"put on a device in {self._trace.current or 'the model'}"
        self._origins[value.untyped_storage().data_ptr()] = (place, True, value)

    def _find_origin(self, tensor: Tensor) -> tuple[str, bool]:
        found = self._origins.get(tensor.untyped_storage().data_ptr())
        return found[:2] if found else ("", False)


# What `x.type()` gives for a moved tensor; as an argument it moves a tensor, as `torch.cuda.FloatTensor` does.
_LEGACY_TYPE = f"torch.{ELSEWHERE.type}."


class CallWatch(TorchFunctionMode):
    """While active, follows what is lost before an operation can be seen.

    `torch.tensor(…, device=…)` and its like put the values of Python numbers on the device at once: here they are
    made on the CPU first, and moved as an operation of its own. A call that names another device is noted on `watch`.
    And registered tensors that code reaches past the copy (a closure over a module) count as moved, because `.to()`
    moves a registered tensor wherever it is reached from.

    Args:
        watch: what looks at the devices.
        registered: the parameters and buffers of the original.
    """

    def __init__(self, watch: DeviceWatch, registered: Iterable[Tensor] = ()) -> None:
        super().__init__()
        self._watch = watch
        self._followed = {id(tensor): tensor for tensor in registered if tensor.layout is torch.strided}
        self._moved: dict[int, MovedTensor] = {}

    def __torch_function__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: Mapping[str, Any] | None = None
    ) -> Any:
        """Call the function on what moved."""
        args, named = tree_map(self._follow, args), tree_map(self._follow, dict(kwargs or {}))
        if func in _FROM_NUMBERS:
            return self._make(func, args, named)
        if func is Tensor.type and len(args) == 2 and str(args[1]).startswith(_LEGACY_TYPE):
            legacy = getattr(torch, str(args[1]).removeprefix(_LEGACY_TYPE))
            return args[0].to(device=ELSEWHERE, dtype=legacy.dtype)
        with self._noting_device(func, args, named):
            result = func(*args, **named)
            if self._watch.device_was_asked:
                self._watch.note_chosen(result)
            return result

    def _make(self, func: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        asked = kwargs.pop("device", None)
        if func is Tensor.new_tensor:
            asked = args[0].device if asked is None else asked
            kwargs.setdefault("dtype", args[0].dtype)
            args, func = args[1:], torch.tensor
        with self._noting_device(func, (), {} if asked is None else {"device": asked}):
            made = func(*args, **kwargs)
            return made if asked is None else made.to(asked)

    def _follow(self, value: Any) -> Any:
        if id(value) not in self._followed or isinstance(value, MovedTensor):
            return value
        return self._moved.setdefault(id(value), MovedTensor(value.detach()))

    @contextmanager
    def _noting_device(self, func: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Iterator[None]:
        before = self._watch.device_was_asked
        asked: Any = kwargs.get("device", args[1] if func is Tensor.to and len(args) > 1 else None)
        named = isinstance(asked, str | torch.device)
        self._watch.device_was_asked = before or (named and torch.device(asked) != ELSEWHERE)
        try:
            yield
        finally:
            self._watch.device_was_asked = before


_FROM_NUMBERS = (torch.tensor, torch.as_tensor, torch.asarray, Tensor.new_tensor)


def _tensors_of(values: Any) -> list[Tensor]:
    return [leaf for leaf in tree_flatten(values)[0] if isinstance(leaf, Tensor)]


def _mixes(name: str, args: tuple[Any, ...], strays: list[Tensor]) -> bool:
    if name in _COPIES or name in _PACKED:
        return False
    if name in _INDEXED and isinstance(args[0], MovedTensor):
        indices = {id(tensor) for tensor in _tensors_of(args[1])}
        return any(id(stray) not in indices for stray in strays)
    return True


def _compute(func: Any, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> Any:
    """Run an operation on real tensors; its result is elsewhere if it was asked to be, or its inputs are."""
    asked = kwargs.get("device")
    inputs = _tensors_of((args, kwargs))
    if asked is not None:
        elsewhere = torch.device(asked) == ELSEWHERE
    else:
        elsewhere = any(isinstance(tensor, MovedTensor) for tensor in inputs)
    result = func(*tree_map(_unwrap, args), **tree_map(_unwrap, dict(kwargs)))
    if "out" in kwargs:
        return kwargs["out"]
    written = func._schema.arguments[:1]
    if written and written[0].alias_info is not None and written[0].alias_info.is_write:
        return _return_written(args[0], result)
    return tree_map(_wrap, result) if elsewhere else result


def _return_written(target: Any, result: Any) -> Any:
    """What an operation in place gives back: the tensor it was called on."""
    if isinstance(target, MovedTensor) and isinstance(result, Tensor) and result.shape != target.shape:
        raise NotImplementedError("an in-place operation changed the shape of a moved tensor")
    return target


def _unwrap(value: Any) -> Any:
    if isinstance(value, MovedTensor):
        return value.real_values
    return torch.device("cpu") if isinstance(value, torch.device) and value == ELSEWHERE else value


def _wrap(value: Any) -> Any:
    return MovedTensor(value) if isinstance(value, Tensor) and not isinstance(value, MovedTensor) else value

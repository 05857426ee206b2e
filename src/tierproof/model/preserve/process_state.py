"""Record and restore settings of the process that a model's code may change: random states, modes, flags."""

from __future__ import annotations

import gc
import random
import sys
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from typing import Any

import torch
from torch.nn.modules import module as nn_module

from tierproof.model.preserve.object_state import DictRecord
from tierproof.model.preserve.surroundings import iterate_surroundings


@dataclass(frozen=True)
class Setting:
    """One setting: how to read and write it, and what it was."""

    name: str
    read: Callable[[], Any]
    write: Callable[[Any], Any]
    value: Any


class ProcessState:
    """The settings of the process, recorded when this object is created.

    Not covered: variables of Python modules, environment variables, the handler of Ctrl-C, which `InterruptGate`
    puts back, and the number of inter-operation threads, which torch allows to be set only once.
    """

    def __init__(self) -> None:
        self._settings = tuple(_read_settings())
        self._filters = tuple(warnings.filters)
        self._global_hooks = tuple(_record_global_hooks())

    def restore(self, failures: list[str]) -> None:
        """Write back what differs; add what raised to `failures`."""
        raised: dict[str, str] = {}
        for _ in range(2):  # some flags are two names for one thing, so the second round may find more
            for setting in self._settings:
                if not _equal(_try_read(setting.read), setting.value):
                    try:
                        setting.write(setting.value)
                    except Exception as error:  # noqa: BLE001 - told by the caller; the rest must go on
                        raised[setting.name] = f"{setting.name}: {type(error).__name__}: {error}"
        failures.extend(raised.values())
        if tuple(warnings.filters) != self._filters:
            # The module rebinds its list when filters are saved elsewhere, so it is changed in place.
            warnings.filters[:] = self._filters  # type: ignore[index]
            warnings._filters_mutated()  # type: ignore[attr-defined]
        for record in self._global_hooks:
            record.restore()


def _equal(now: Any, kept: Any) -> bool:
    if isinstance(kept, torch.Tensor):
        return isinstance(now, torch.Tensor) and torch.equal(now, kept)
    if isinstance(kept, tuple | list):
        if kept and set(map(type, kept)) == {int}:  # the state of a generator has hundreds
            return bool(now == kept)
        return type(now) is type(kept) and len(now) == len(kept) and all(map(_equal, now, kept))
    if type(kept).__name__ == "ndarray":
        return bool((now == kept).all())
    return bool(now == kept)


_UNREADABLE = object()


def _try_read(read: Callable[[], Any]) -> Any:
    """Read a setting; some cannot be read while two generations of flags disagree, or on this build."""
    try:
        return read()
    except (RuntimeError, AttributeError, NotImplementedError, OSError):
        return _UNREADABLE


def _read_settings() -> Iterator[Setting]:
    for name, read, write in _iterate_accessors():
        value = _try_read(read)
        if value is not _UNREADABLE:
            yield Setting(name, read, write, value)


_Accessor = tuple[str, Callable[[], Any], Callable[[Any], Any]]


def _iterate_accessors() -> Iterator[_Accessor]:
    yield from list_generators()
    yield from _default_accessors()
    yield from _autocast_accessors()
    yield from _backend_accessors()
    yield from _precision_accessors()
    yield from iterate_surroundings()


def list_generators() -> Iterator[_Accessor]:
    """(name, read, write) of each random generator of the process."""
    yield "python random state", random.getstate, random.setstate
    numpy = sys.modules.get("numpy")
    if numpy is not None:
        yield "numpy random state", numpy.random.get_state, numpy.random.set_state
        yield "numpy error handling", numpy.geterr, lambda value: numpy.seterr(**value)
    yield "torch random state", torch.default_generator.get_state, torch.default_generator.set_state
    if torch.cuda.is_available() and torch.cuda.is_initialized():  # type: ignore[no-untyped-call]
        yield "cuda random states", torch.cuda.get_rng_state_all, torch.cuda.set_rng_state_all
    if torch.backends.mps.is_available():
        yield "mps random state", torch.mps.get_rng_state, torch.mps.set_rng_state


def _default_accessors() -> Iterator[_Accessor]:
    yield "default dtype", torch.get_default_dtype, torch.set_default_dtype
    yield "default device", _read_default_device, torch.set_default_device
    yield "grad mode", torch.is_grad_enabled, torch._C._set_grad_enabled
    yield "threads", torch.get_num_threads, torch.set_num_threads
    yield "deterministic algorithms", _read_determinism, _write_determinism
    yield _attribute_accessor(torch.utils.deterministic, "fill_uninitialized_memory")
    yield "anomaly detection", _read_anomaly, _write_anomaly
    yield "warn always", torch.is_warn_always_enabled, torch.set_warn_always
    yield _attribute_accessor(warnings, "showwarning")
    yield "recursion limit", sys.getrecursionlimit, sys.setrecursionlimit
    yield "garbage collection", gc.isenabled, lambda value: (gc.enable if value else gc.disable)()


def _read_default_device() -> torch.device | None:
    """The default device; None if none was set, which differs from having set the CPU."""
    context = getattr(torch._GLOBAL_DEVICE_CONTEXT, "device_context", None)
    return None if context is None else context.device


def _read_determinism() -> tuple[bool, bool]:
    return (
        torch.are_deterministic_algorithms_enabled(),
        torch.is_deterministic_algorithms_warn_only_enabled(),
    )


def _write_determinism(value: tuple[bool, bool]) -> None:
    torch.use_deterministic_algorithms(value[0], warn_only=value[1])


def _read_anomaly() -> tuple[bool, bool]:
    return torch.is_anomaly_enabled(), torch.is_anomaly_check_nan_enabled()


def _write_anomaly(value: tuple[bool, bool]) -> None:
    torch._C.set_anomaly_enabled(*value)


def _autocast_accessors() -> Iterator[_Accessor]:
    yield "autocast cache", torch.is_autocast_cache_enabled, torch.set_autocast_cache_enabled
    if not hasattr(torch, "get_autocast_dtype"):  # before torch 2.4 each device has functions of its own
        return
    for device in ("cpu", "cuda"):
        enabled, dtype = f"autocast on {device}", f"autocast dtype on {device}"
        yield enabled, partial(torch.is_autocast_enabled, device), partial(torch.set_autocast_enabled, device)
        yield dtype, partial(torch.get_autocast_dtype, device), partial(torch.set_autocast_dtype, device)


def _attribute_accessor(owner: Any, name: str) -> _Accessor:
    return f"{owner}.{name}", partial(getattr, owner, name), partial(setattr, owner, name)


def _backend_accessors() -> Iterator[_Accessor]:
    for name in ("enabled", "benchmark", "deterministic"):
        yield _attribute_accessor(torch.backends.cudnn, name)
    for name in ("enabled", "deterministic"):
        yield _attribute_accessor(torch.backends.mkldnn, name)
    if torch.backends.cudnn.is_available():  # type: ignore[no-untyped-call]
        yield _attribute_accessor(torch.backends.cudnn, "benchmark_limit")
    for name in ("allow_fp16_reduced_precision_reduction", "allow_bf16_reduced_precision_reduction"):
        yield _attribute_accessor(torch.backends.cuda.matmul, name)
    cuda: Any = torch.backends.cuda
    for kernel in ("flash", "mem_efficient", "math", "cudnn"):
        if hasattr(cuda, f"enable_{kernel}_sdp"):
            read, write = getattr(cuda, f"{kernel}_sdp_enabled"), getattr(cuda, f"enable_{kernel}_sdp")
            yield f"{kernel} sdp", read, write
    if hasattr(cuda, "allow_fp16_bf16_reduction_math_sdp"):
        allowed = cuda.fp16_bf16_reduction_math_sdp_allowed
        yield "math sdp reduction", allowed, cuda.allow_fp16_bf16_reduction_math_sdp
    yield "nnpack", torch._C._get_nnpack_enabled, torch._C._set_nnpack_enabled
    yield "mha fast path", torch.backends.mha.get_fastpath_enabled, torch.backends.mha.set_fastpath_enabled
    yield _attribute_accessor(torch.backends.quantized, "engine")


def _precision_accessors() -> Iterator[_Accessor]:
    """The legacy TF32 flags first, then the newer names they are mirrored in, which have the last word."""
    core: Any = torch._C
    yield "cublas tf32", core._get_cublas_allow_tf32, core._set_cublas_allow_tf32
    yield "cudnn tf32", core._get_cudnn_allow_tf32, core._set_cudnn_allow_tf32
    yield "matmul precision", core._get_float32_matmul_precision, core._set_float32_matmul_precision
    if not hasattr(core, "_get_fp32_precision_getter"):
        return
    operations = {"generic": ("all",), "cuda": ("all", "matmul", "conv", "rnn")}
    operations["mkldnn"] = operations["cuda"]
    for backend, names in operations.items():
        for name in names:
            read = partial(core._get_fp32_precision_getter, backend, name)
            write = partial(core._set_fp32_precision_setter, backend, name)
            yield f"fp32 precision of {backend} {name}", read, write


def _record_global_hooks() -> Iterator[DictRecord]:
    """Hooks that apply to every module of the process."""
    for name, value in vars(nn_module).items():
        if name.startswith("_global_") and isinstance(value, dict):
            yield DictRecord.of(value)


@contextmanager
def keep_generators() -> Iterator[None]:
    """After the `with`, every random generator of the process is as it was before."""
    kept = [(write, read()) for _, read, write in list_generators()]
    try:
        yield
    finally:
        for write, value in kept:
            write(value)

"""Collect the mutable objects that a model reaches, each with a record that can restore its contents."""

from __future__ import annotations

import datetime as dt
import decimal
import enum
import fractions
import functools
import pathlib
import re
import sys
import types
import weakref
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, Protocol

import torch
from torch import Tensor, nn

from tierproof.model.preserve.object_state import (
    ClassRecord,
    InstanceRecord,
    array_record,
    container_record,
    random_record,
    read_cell,
)

MAX_OBJECTS = 500_000
MAX_CONTAINER_ITEMS = 1_000_000

_ATOMIC_TYPES: tuple[type, ...] = (
    int, float, complex, str, bytes, bool, type(None), type(...), type(NotImplemented), range, slice,
    torch.dtype, torch.device, torch.layout, torch.memory_format, torch.Size,
    types.ModuleType, types.BuiltinFunctionType, types.GeneratorType, types.CoroutineType, types.FrameType,
    types.TracebackType, types.CodeType, memoryview, enum.Enum, re.Pattern, pathlib.PurePath,
    dt.date, dt.time, dt.timedelta, dt.tzinfo, decimal.Decimal, fractions.Fraction,
    property, staticmethod, classmethod,
)  # fmt: skip

# Their instances hold threads, files, sockets, compiled code or a running kernel: putting an earlier
# `__dict__` back under them would break what it is meant to protect.
_OPAQUE_PACKAGES = frozenset((
    "threading", "_thread", "queue", "multiprocessing", "concurrent", "asyncio", "logging", "io",
    "_io", "socket", "ssl", "select", "selectors", "subprocess", "sqlite3", "tempfile",
    "contextvars", "inspect", "traceback", "importlib", "zipimport", "ctypes", "_ctypes", "mmap",
    "signal", "IPython", "ipykernel", "traitlets", "zmq", "tornado", "jupyter_client", "matplotlib",
    "rich", "tqdm", "tierproof", "_pytest", "pluggy",
))  # fmt: skip
_OPAQUE_TORCH = (
    "torch._dynamo", "torch._inductor", "torch._functorch", "torch.fx", "torch._C", "torch.distributed",
    "torch.jit", "torch._jit_internal", "torch.multiprocessing", "torch.profiler", "torch._subclasses",
    "torch._ops", "torch._library", "torch.cuda.streams", "torch.cuda.graphs", "torch.utils.data",
)  # fmt: skip
_ITERATED_TYPES: tuple[Any, ...] = (list, tuple, set, frozenset, deque)
_FOREIGN_CLASSES = frozenset({"torch", "numpy", "builtins"}) | sys.stdlib_module_names - {"__main__"}


class Record(Protocol):
    """One object and its recorded contents."""

    def restore(self) -> None:
        """Put the contents back where they differ."""


@dataclass
class ObjectGraph:
    """The objects that a model reaches.

    Attributes:
        records: one or more for every mutable object except tensors.
        tensors: (path, tensor), parameters and buffers first.
        skipped: paths that were left out, with the reason.
        keep_alive: objects held so that their ids, and weak references to them, stay valid.
    """

    records: list[Record] = field(default_factory=list)
    tensors: list[tuple[str, Tensor]] = field(default_factory=list)
    skipped: list[str] = field(default_factory=list)
    keep_alive: list[object] = field(default_factory=list)


def collect_objects(model: nn.Module) -> ObjectGraph:
    """Find and record every mutable object that `model` reaches.

    Followed: modules, containers, plain objects (`__dict__` and `__slots__`), closures, default
    arguments, bound methods, partials, tensor attributes and gradients, and the data attributes of the
    objects' own classes. Not followed: module globals, threads, files, generators and C objects.
    """
    walk = _Walk()
    for name, tensor in (*model.named_parameters(), *model.named_buffers()):
        walk.add(tensor, name)
    walk.add(model, "")
    walk.run()
    return walk.graph


def is_atomic(value: object) -> bool:
    """Whether `value` contains nothing that could change."""
    return issubclass(type(value), _ATOMIC_TYPES) or isinstance(value, type)


class _Walk:
    """A breadth-first walk, so that objects near the model are recorded before a limit is reached."""

    def __init__(self) -> None:
        self.graph = ObjectGraph()
        self._seen: set[int] = set()
        self._waiting: deque[tuple[Any, str]] = deque()
        # What is asked of an object's class, by the class's id: many objects share few classes.
        self._atomic: dict[int, bool] = {}
        self._opaque: dict[int, bool] = {}
        self._visited_classes: dict[int, type] = {}

    def add(self, value: Any, path: str) -> None:
        if id(value) in self._seen or self._is_atomic(value):
            return
        self._seen.add(id(value))
        self.graph.keep_alive.append(value)
        self._waiting.append((value, path))

    def _is_atomic(self, value: object) -> bool:
        known = self._atomic.get(id(type(value)))
        if known is None:
            known = self._atomic[id(type(value))] = is_atomic(value)
        return known

    def _is_opaque(self, value: object) -> bool:
        known = self._opaque.get(id(type(value)))
        if known is None:
            known = self._opaque[id(type(value))] = _is_opaque(value)
        return known

    def run(self) -> None:
        while self._waiting:
            if len(self._seen) > MAX_OBJECTS:
                self.graph.skipped.append(
                    f"{self._waiting[0][1]}: the model reaches more than {MAX_OBJECTS} objects"
                )
                return
            value, path = self._waiting.popleft()
            self._visit(value, path)

    def _visit(self, value: Any, path: str) -> None:
        if issubclass(type(value), weakref.ref):
            self.graph.keep_alive.append(value())
            return
        if issubclass(type(value), Tensor):
            self.graph.tensors.append((path, value))
            self._add_all(_tensor_children(value), path)
        elif self._is_opaque(value):
            return
        else:
            try:
                size = len(value) if isinstance(value, dict | list | set | deque) else 0
            except Exception:  # noqa: BLE001 - a user's __len__; the record uses the base class's own
                size = 0
            if size > MAX_CONTAINER_ITEMS:
                self.graph.skipped.append(f"{path}: a container of {size} items")
                return
            record = container_record(value) or random_record(value) or array_record(value)
            if record is not None:
                self.graph.records.append(record)
            self._add_all(_children(value), path)
        self._visit_instance(value, path)

    def _visit_instance(self, value: Any, path: str) -> None:
        instance = InstanceRecord.of(value)
        if instance is not None:
            self.graph.records.append(instance)
            self._add_all(instance.children(), path)
        if id(type(value)) not in self._visited_classes:
            self._visit_classes(type(value), path)

    def _visit_classes(self, kind: type, path: str) -> None:
        for cls in kind.__mro__:
            if id(cls) in self._visited_classes:
                continue
            self._visited_classes[id(cls)] = cls
            if _is_foreign_class(cls) or _is_opaque_class(cls):
                continue
            record = ClassRecord.of(cls)
            self.graph.records.append(record)
            self._add_all(record.children(), f"{path}:{cls.__name__}")

    def _add_all(self, children: Iterator[tuple[object, Any]], path: str) -> None:
        for key, value in children:
            if id(value) not in self._seen and not self._is_atomic(value):
                self.add(value, f"{path}.{key}" if path else str(key))


def _package(cls: type) -> str:
    return str(cls.__module__).partition(".")[0]


def _is_foreign_class(cls: type) -> bool:
    """A class of torch, numpy or Python itself; not one made for a single object, as `parametrize` does."""
    if _package(cls) not in _FOREIGN_CLASSES:
        return False
    module = sys.modules.get(cls.__module__)
    return "." in cls.__qualname__ or getattr(module, cls.__name__, None) is cls


def _is_opaque_class(cls: type) -> bool:
    if _package(cls) in _OPAQUE_PACKAGES:
        return True
    module = str(cls.__module__)
    return any(module == prefix or module.startswith(f"{prefix}.") for prefix in _OPAQUE_TORCH)


def _is_opaque(value: object) -> bool:
    cls = type(value)
    if issubclass(cls, nn.Module | torch.Generator | deque | dict | list | set):
        return False
    return _is_opaque_class(cls)


def _tensor_children(tensor: Tensor) -> Iterator[tuple[object, Any]]:
    """The gradient, hooks, and inner tensors of sparse and wrapper tensors."""
    with torch._C.DisableTorchFunction(), torch.no_grad():
        if tensor.is_leaf or tensor.retains_grad:
            yield "grad", tensor.grad
        yield "_backward_hooks", tensor._backward_hooks
        yield "_post_accumulate_grad_hooks", getattr(tensor, "_post_accumulate_grad_hooks", None)
        if tensor.layout is torch.sparse_coo:
            yield "_indices", tensor._indices()
            yield "_values", tensor._values()
        elif tensor.layout in (torch.sparse_csr, torch.sparse_bsr):
            yield from (("crow", tensor.crow_indices()), ("col", tensor.col_indices()))
            yield "values", tensor.values()
        elif tensor.layout in (torch.sparse_csc, torch.sparse_bsc):
            yield from (("ccol", tensor.ccol_indices()), ("row", tensor.row_indices()))
            yield "values", tensor.values()


def _children(value: Any) -> Iterator[tuple[object, Any]]:
    """What a container or function holds; an object's attributes come from its `InstanceRecord`."""
    if isinstance(value, dict):
        for key, item in dict.items(value):
            yield "key", key
            yield key if isinstance(key, str | int) else "value", item
        return
    for base in _ITERATED_TYPES:
        if isinstance(value, base):
            yield from enumerate(base.__iter__(value))
            return
    if isinstance(value, types.FunctionType):
        yield from _function_children(value)
    elif isinstance(value, types.MethodType):
        yield from (("__self__", value.__self__), ("__func__", value.__func__))
    elif isinstance(value, functools.partial):
        yield from (("func", value.func), ("args", value.args), ("keywords", value.keywords))
    elif isinstance(value, types.CellType):
        yield from (("cell", content) for content in read_cell(value))
    elif (numpy := sys.modules.get("numpy")) is not None and isinstance(value, numpy.ndarray):
        yield from enumerate(value.flat if value.dtype == object else ())


def _function_children(function: types.FunctionType) -> Iterator[tuple[object, Any]]:
    if str(function.__module__).partition(".")[0] in _FOREIGN_CLASSES:
        return
    yield from zip(function.__code__.co_freevars, function.__closure__ or (), strict=True)
    yield from enumerate(function.__defaults__ or ())
    yield "__kwdefaults__", function.__kwdefaults__

"""Records of the contents of single Python objects, which can restore them in place."""

from __future__ import annotations

import operator
import random
import sys
import types
from array import array
from collections import OrderedDict, deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import torch

_ABSENT = object()
_HEAP_TYPE = 1 << 9
# Written by the interpreter itself, or no data at all.
_CLASS_NAMES_LEFT_ALONE = frozenset((
    "__dict__", "__weakref__", "__doc__", "__module__", "__annotations__", "__annotations_cache__",
    "__annotate__", "__annotate_func__", "__abstractmethods__", "__static_attributes__",
    "__firstlineno__", "_abc_impl",
))  # fmt: skip
_SEQUENCES: tuple[Any, ...] = (list, deque, set, bytearray, array)


@dataclass(frozen=True)
class DictRecord:
    """The recorded keys, order and values of a dict or OrderedDict, all by identity."""

    target: dict[Any, Any]
    keys: tuple[Any, ...]
    values: tuple[Any, ...]

    @classmethod
    def of(cls, target: dict[Any, Any]) -> DictRecord:
        """Record `target` as it is."""
        base = _dict_base(target)
        return cls(target, tuple(base.keys(target)), tuple(base.values(target)))

    @property
    def items(self) -> Iterator[tuple[Any, Any]]:
        """The recorded (key, value) pairs, in order."""
        return zip(self.keys, self.values, strict=True)

    def restore(self) -> None:
        """Put keys, order and values back, past any method that a subclass overrides."""
        base = _dict_base(self.target)
        if (
            base.__len__(self.target) == len(self.keys)
            and all(map(operator.is_, base.values(self.target), self.values))
            and all(map(operator.is_, base.keys(self.target), self.keys))
        ):
            return
        base.clear(self.target)
        for key, value in self.items:
            base.__setitem__(self.target, key, value)


def _dict_base(target: dict[Any, Any]) -> Any:
    """The class that owns the storage: an OrderedDict keeps an order that `dict`'s methods would corrupt."""
    return OrderedDict if isinstance(target, OrderedDict) else dict


@dataclass(frozen=True)
class SequenceRecord:
    """The recorded items of a list, deque, set, bytearray or array, by identity."""

    target: Any
    base: Any
    items: tuple[Any, ...]

    def restore(self) -> None:
        """Put the items back in order."""
        now = self.base.__iter__(self.target)
        if self.base.__len__(self.target) == len(self.items) and all(map(operator.is_, now, self.items)):
            return
        if self.base in (list, bytearray, array):
            items = self.items if self.base is list else self.base_value()
            self.base.__setitem__(self.target, slice(None), items)
            return
        self.base.clear(self.target)
        (self.base.extend if self.base is deque else self.base.update)(self.target, self.items)

    def base_value(self) -> Any:
        """The items as a bytearray or array, which take no tuple in a slice assignment."""
        return bytearray(self.items) if self.base is bytearray else array(self.target.typecode, self.items)


@dataclass(frozen=True)
class CellRecord:
    """The recorded value of a closure's variable, as a tuple of one; empty if it was not bound."""

    target: types.CellType
    content: tuple[Any, ...]

    def restore(self) -> None:
        """Bind the variable to its recorded value again."""
        now = read_cell(self.target)
        if len(now) == len(self.content) and all(map(operator.is_, now, self.content)):
            return
        if self.content:
            self.target.cell_contents = self.content[0]
        else:
            del self.target.cell_contents


def read_cell(cell: types.CellType) -> tuple[Any, ...]:
    """What a closure's variable holds, as a tuple of one; empty while it is not bound."""
    try:
        return (cell.cell_contents,)
    except ValueError:
        return ()


@dataclass(frozen=True)
class CallRecord:
    """Recorded state that a function writes back: that of a random generator or a numpy array."""

    write: Callable[[], object]

    def restore(self) -> None:
        """Write the state back."""
        self.write()


def container_record(value: Any) -> DictRecord | SequenceRecord | CellRecord | None:
    """Record a container or closure cell; None for anything else."""
    if isinstance(value, dict):
        return DictRecord.of(value)
    for base in _SEQUENCES:
        if isinstance(value, base):
            return SequenceRecord(value, base, tuple(base.__iter__(value)))
    if isinstance(value, types.CellType):
        return CellRecord(value, read_cell(value))
    return None


def random_record(value: Any) -> CallRecord | None:
    """Record a generator of random numbers (python, numpy, torch); None for anything else."""
    if isinstance(value, torch.Generator):
        state = value.get_state()
        return CallRecord(lambda: value.set_state(state))
    if isinstance(value, random.Random) and not isinstance(value, random.SystemRandom):
        python_state = value.getstate()
        return CallRecord(lambda: value.setstate(python_state))
    numpy = sys.modules.get("numpy")
    if numpy is None:
        return None
    if isinstance(value, numpy.random.RandomState):
        legacy_state = value.get_state()
        return CallRecord(lambda: value.set_state(legacy_state))
    generator = value.bit_generator if isinstance(value, numpy.random.Generator) else value
    if isinstance(generator, numpy.random.BitGenerator):
        bits = generator.state
        return CallRecord(lambda: setattr(generator, "state", bits))
    return None


def array_record(value: Any) -> CallRecord | None:
    """Record a writable numpy array (contents, shape); None for anything else.

    The contents are always written back: comparing floats would take -0.0 for 0.0.
    """
    numpy = sys.modules.get("numpy")
    if numpy is None or not isinstance(value, numpy.ndarray) or not value.flags.writeable:
        return None
    kept, shape = value.copy(), value.shape

    def write() -> None:
        if value.shape != shape:
            value.shape = shape
        value.flags.writeable = True
        numpy.copyto(value, kept)

    return CallRecord(write)


@dataclass(frozen=True)
class InstanceRecord:
    """The recorded class, `__dict__` and slots of an object."""

    target: Any
    cls: type
    attributes: DictRecord | None
    slots: tuple[tuple[types.MemberDescriptorType, Any], ...]

    @classmethod
    def of(cls, target: Any) -> InstanceRecord | None:
        """Record `target`; None when it has neither a `__dict__` nor slots of its own."""
        attributes = _attributes(target)
        slots = tuple(_iterate_slots(target))
        if attributes is None and not slots:
            return None
        return cls(target, type(target), None if attributes is None else DictRecord.of(attributes), slots)

    def children(self) -> Iterator[tuple[object, Any]]:
        """What the attributes hold; the parts of a module without the names of its three tables."""
        if self.attributes is not None:
            for name, value in self.attributes.items:
                if name in ("_parameters", "_buffers", "_modules") and isinstance(value, dict):
                    yield from dict.items(value)
                yield name, value
        for descriptor, value in self.slots:
            yield descriptor.__name__, value

    def restore(self) -> None:
        """Put class, attributes and slots back, past any `__setattr__` of the class."""
        if type(self.target) is not self.cls:
            object.__setattr__(self.target, "__class__", self.cls)
        if self.attributes is not None:
            if _attributes(self.target) is not self.attributes.target:
                object.__setattr__(self.target, "__dict__", self.attributes.target)
            self.attributes.restore()
        for descriptor, value in self.slots:
            if _slot_value(descriptor, self.target) is value:
                continue
            if value is _ABSENT:
                descriptor.__delete__(self.target)
            else:
                descriptor.__set__(self.target, value)


def _attributes(target: Any) -> dict[str, Any] | None:
    try:
        attributes = object.__getattribute__(target, "__dict__")
    except (AttributeError, RuntimeError):
        return None
    return attributes if isinstance(attributes, dict) else None


def _iterate_slots(target: Any) -> Iterator[tuple[types.MemberDescriptorType, Any]]:
    for cls in type(target).__mro__:
        if cls.__flags__ & _HEAP_TYPE and "__slots__" in vars(cls):
            for descriptor in vars(cls).values():
                if isinstance(descriptor, types.MemberDescriptorType):
                    yield descriptor, _slot_value(descriptor, target)


def _slot_value(descriptor: types.MemberDescriptorType, target: Any) -> Any:
    try:
        return descriptor.__get__(target)
    except AttributeError:
        return _ABSENT


@dataclass(frozen=True)
class ClassRecord:
    """The recorded attributes of a class, such as counters, caches and replaced methods."""

    target: type
    attributes: tuple[tuple[str, Any], ...]

    @classmethod
    def of(cls, target: type) -> ClassRecord:
        """Record `target` as it is."""
        return cls(target, tuple(_iterate_class_attributes(target)))

    def children(self) -> Iterator[tuple[object, Any]]:
        """The attributes that may hold data of their own."""
        return iter(self.attributes)

    def restore(self) -> None:
        """Put every attribute back and remove those that were added."""
        kept = dict(self.attributes)
        for name, value in kept.items():
            if vars(self.target).get(name, _ABSENT) is not value:
                type.__setattr__(self.target, name, value)
        for name in [name for name, _ in _iterate_class_attributes(self.target) if name not in kept]:
            type.__delattr__(self.target, name)


def _iterate_class_attributes(target: type) -> Iterator[tuple[str, Any]]:
    for name, value in vars(target).items():
        if name not in _CLASS_NAMES_LEFT_ALONE:
            yield name, value

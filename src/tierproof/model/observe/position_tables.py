"""Find the tables that a forward pass reads by position: sliced up to the length, or added as a whole."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode

from tierproof.model.call.input_plan import InputPlan
from tierproof.model.call.model_probe import ModelProbe
from tierproof.model.preserve.object_graph import collect_objects

_ADDITIONS = (torch.add, Tensor.add, Tensor.add_, Tensor.__add__, Tensor.__radd__, Tensor.__iadd__)
_NARROW = (torch.narrow, Tensor.narrow)


@dataclass(frozen=True)
class PositionTable:
    """A tensor of the model that holds one row for each position.

    Attributes:
        path: how it is reached from the model.
        usable: the longest input that it has rows for.
        use: how it was seen to be read, in words.
    """

    path: str
    usable: int
    use: str


def collect_tables(model: nn.Module) -> dict[int, str]:
    """The model's tensors of two axes or more, by identity: parameters, buffers and plain attributes.

    To be read before the model runs: a run may leave tensors of its own.
    """
    named = (*collect_objects(model).tensors, *model.named_parameters(), *model.named_buffers())
    made = ((path, tensor) for path, tensor in named if not nn.parameter.is_lazy(tensor))
    return {id(tensor): path for path, tensor in made if tensor.dim() >= 2}


def find_position_tables(
    probe: ModelProbe, plan: InputPlan, tables: Mapping[int, str]
) -> tuple[PositionTable, ...]:
    """Run the model at two lengths, and keep the tables of which it reads as much more as the input is longer.

    Args:
        tables: the model's tensors before it ran (see `collect_tables`).
    """
    length = plan.default_length
    if not plan.has_length or length < 2:
        return ()
    longer = _watch(probe, plan, tables, length)
    shorter = _watch(probe, plan, tables, length - 1)
    found = []
    for (key, axis), (end, rows) in longer.ends.items():
        other = shorter.ends.get((key, axis))
        if other is not None and end - other[0] == 1 and end < rows:
            found.append(PositionTable(tables[key], rows - (end - length), f"its first {end} rows were read"))
    if not shorter.finished:
        # Added as it is: no other length runs.
        found += [PositionTable(tables[key], length, "it is added as a whole") for key in longer.added]
    return tuple(found)


def _watch(probe: ModelProbe, plan: InputPlan, tables: Mapping[int, str], length: int) -> _TableWatch:
    watch = _TableWatch(tables, length)
    try:
        with watch:
            probe.run(probe.make_call(plan, length=length, target_length=length))
    except Exception:  # noqa: BLE001 - a length that fails is a finding of T1-SHAPE
        return watch
    watch.finished = True
    return watch


class _TableWatch(TorchFunctionMode):
    """Notes how far each table is read, by (identity, axis), and which are added to as many rows as they have."""

    def __init__(self, tables: Mapping[int, str], length: int) -> None:
        super().__init__()
        self._tables = tables
        self._length = length
        self.ends: dict[tuple[int, int], tuple[int, int]] = {}
        self.added: set[int] = set()
        self.finished = False

    def __torch_function__(
        self,
        func: Callable[..., Any],
        types: Sequence[type],
        args: tuple[Any, ...] = (),
        kwargs: Mapping[str, Any] | None = None,
    ) -> Any:
        if func is Tensor.__getitem__ and id(args[0]) in self._tables:
            self._see_slices(args[0], args[1])
        elif func in _NARROW and id(args[0]) in self._tables and len(args) == 4:
            axis, start, count = args[1:]
            if all(isinstance(number, int) for number in (axis, start, count)):
                self._note(args[0], axis % args[0].dim(), start + count)
        elif func in _ADDITIONS and len(args) >= 2:
            self._see_addition(*args[:2])
        return func(*args, **(kwargs or {}))

    def _note(self, table: Tensor, axis: int, end: int) -> None:
        self.ends[id(table), axis] = (end, table.shape[axis])

    def _see_slices(self, table: Tensor, index: Any) -> None:
        parts = list(index) if isinstance(index, tuple) else [index]
        if any(isinstance(part, Tensor | list) for part in parts):
            return
        if any(part is Ellipsis for part in parts):
            place = next(i for i, part in enumerate(parts) if part is Ellipsis)
            taken = sum(part is not None and part is not Ellipsis for part in parts)
            parts[place : place + 1] = [slice(None)] * (table.dim() - taken)
        axis = 0
        for part in parts:
            if part is None:
                continue
            if isinstance(part, slice) and part.stop is not None and axis < table.dim():
                self._note(table, axis, part.indices(table.shape[axis])[1])
            axis += 1

    def _see_addition(self, first: Any, second: Any) -> None:
        for table, other in ((first, second), (second, first)):
            known = id(table) in self._tables and isinstance(other, Tensor) and other.dim() >= 2
            if known and table.shape[-2] == other.shape[-2] == self._length:
                self.added.add(id(table))

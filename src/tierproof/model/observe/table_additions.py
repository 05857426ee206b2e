"""Record the tables that a forward pass adds to its activations or multiplies them with, such as sinusoids."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from tierproof.model.observe.execution_trace import ExecutionTrace
from tierproof.model.observe.operation_watch import OperationWatch

_ADDS = frozenset({"add", "add_", "__add__", "__radd__", "__iadd__"})
_TIMES = frozenset({"mul", "mul_", "__mul__", "__rmul__", "__imul__", "multiply"})


@dataclass(frozen=True)
class TableUse:
    """One table of rows by position that met an activation.

    Attributes:
        path: of the module that made the table, or else of the one that used it.
        values: the table, positions × width.
        added: whether it was added; else it was a factor.
    """

    path: str
    values: Tensor
    added: bool


class _TableWatch(OperationWatch):
    def __init__(self, trace: ExecutionTrace) -> None:
        super().__init__()
        self.found: list[TableUse] = []
        self._trace = trace

    def before(self, name: str, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> None:  # noqa: ARG002
        """Note a table among two operands."""
        if (name in _ADDS or name in _TIMES) and len(args) >= 2:
            for table, other in ((args[0], args[1]), (args[1], args[0])):
                values = self._read_table(table, other)
                if values is not None:
                    self.found.append(TableUse(self._trace.current, values, name in _ADDS))

    def _read_table(self, table: Any, other: Any) -> Tensor | None:
        """The table as positions × width, where it has no gradient, the activation has one, and their widths agree."""
        if not isinstance(table, Tensor) or not isinstance(other, Tensor):
            return None
        if table.requires_grad or not other.requires_grad or table.is_meta or table.dim() < 2:
            return None
        if not (table.is_floating_point() or table.is_complex()) or table.shape[-1] != other.shape[-1]:
            return None
        values = table.detach()
        # Rows that are repeated for the batch or the heads count once; a table has no other axes.
        for axis in reversed(range(values.dim() - 1)):
            first = values.narrow(axis, 0, 1)
            if values.shape[axis] == 1 or bool((values == first).all()):
                values = first.squeeze(axis)
        if values.dim() != 2 or values.shape[0] == values.shape[1]:
            return None
        if values.is_complex():
            values = torch.view_as_real(values).flatten(1)
        return values


def find_tables(model: nn.Module, run: Callable[[], object]) -> list[TableUse]:
    """Run a forward pass with gradients and give the tables of rows by position that met an activation."""
    with torch.enable_grad(), ExecutionTrace(model) as trace:
        watch = _TableWatch(trace)
        with watch:
            run()
    return watch.found

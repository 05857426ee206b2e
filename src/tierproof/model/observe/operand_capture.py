"""Keep what each attention of a forward pass multiplies: queries, keys, values, and the scores before the softmax."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from tierproof.model.observe.execution_trace import ExecutionTrace
from tierproof.model.observe.operation_watch import OperationWatch
from tierproof.model.observe.tensor_product import PRODUCTS, Operand, read_product

_PROJECTIONS = frozenset({"linear", "addmm", "matmul", "__matmul__", "conv1d", "einsum"})


@dataclass(frozen=True, eq=False)
class AttentionOperands:
    """The operands of one product of two activations, with positions second to last and features last.

    Attributes:
        path: of the module that multiplied them.
        queries, keys: of the two operands; which is which is not known where neither is named.
        values: what the weights mixed; None where that could not be followed.
        projected: what the last layer with weights before the product was given; None where there was none.
    """

    path: str
    queries: Tensor
    keys: Tensor
    values: Tensor | None
    projected: Tensor | None


class OperandCapture(OperationWatch):
    """While active, collects the operands of each attention; `trace` names the running module.

    Attributes:
        found: one entry per product of two activations over their last axis.
        softened: (path, input) of each softmax over the last of two equal axes.
        operations: names of the functions that ran.
        buffers_used: ids of the buffers that were among the arguments of an operation.
    """

    def __init__(self, trace: ExecutionTrace, model: nn.Module) -> None:
        super().__init__()
        self.found: list[AttentionOperands] = []
        self.softened: list[tuple[str, Tensor]] = []
        self.operations: set[str] = set()
        self.buffers_used: set[int] = set()
        self._trace = trace
        self._projected: Tensor | None = None
        self._buffers = {id(buffer) for buffer in model.buffers() if buffer.is_floating_point()}

    def after(self, name: str, args: tuple[Any, ...], kwargs: Mapping[str, Any], result: Any) -> None:  # noqa: ARG002
        """Keep what was multiplied."""
        self.operations.add(name)
        self.buffers_used |= {id(value) for value in args if isinstance(value, Tensor)} & self._buffers
        if name == "scaled_dot_product_attention":
            self._keep_fused(args, kwargs)
        elif name == "softmax" and args and isinstance(args[0], Tensor) and args[0].dim() >= 3:
            self.softened.append((self._trace.current, args[0].detach()))
        elif name in PRODUCTS | _PROJECTIONS:
            self._note_product(name, args, kwargs)

    def _keep_fused(self, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> None:
        given = [*args[:3], *(kwargs[name] for name in ("query", "key", "value")[len(args) :])]
        query, key, value = (tensor.detach() for tensor in given)
        self.found.append(AttentionOperands(self._trace.current, query, key, value, self._projected))

    def _note_product(self, name: str, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> None:
        tensors = [value for value in (*args, *kwargs.values()) if isinstance(value, Tensor)]
        if any(isinstance(tensor, nn.Parameter) for tensor in tensors):
            free = [tensor for tensor in tensors if not isinstance(tensor, nn.Parameter)]
            self._projected = free[0].detach() if free else None
            return
        product = read_product(name, args, kwargs) if name in PRODUCTS else None
        if product is None:
            return
        first, second = product.first, product.second
        if len(first.rest) != 1 or len(second.rest) != 1 or len(first.summed) != 1:
            return
        previous = self.found[-1] if self.found else None
        if previous is not None and previous.values is None and _mixes(first, previous):
            values = second.tensor.detach().movedim((second.summed[0], second.rest[0]), (-2, -1))
            self.found[-1] = AttentionOperands(
                previous.path, previous.queries, previous.keys, values, previous.projected
            )
            return
        self.found.append(
            AttentionOperands(self._trace.current, _order(first), _order(second), None, self._projected)
        )


def _order(operand: Operand) -> Tensor:
    return operand.tensor.detach().movedim((operand.rest[0], operand.summed[0]), (-2, -1))


def _mixes(first: Operand, previous: AttentionOperands) -> bool:
    """Whether an operand has the shape of the weights of the last product: one row per query, one column per key."""
    sizes = (first.tensor.shape[first.rest[0]], first.tensor.shape[first.summed[0]])
    return sizes == (previous.queries.shape[-2], previous.keys.shape[-2])


def measure_variation(tensor: Tensor, axis: int) -> float:
    """How much slices along `axis` differ from the first one, relative to the size of the values."""
    values = tensor.double()
    first = values.narrow(axis, 0, 1)
    size = float(values.square().mean().sqrt())
    return float((values - first).abs().max()) / max(size, torch.finfo(torch.float32).tiny)

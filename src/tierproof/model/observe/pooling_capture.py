"""Follow softmax weights to the sum that they weight, and measure along which axes they sum to one."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from torch import Tensor

from tierproof.model.observe.execution_trace import ExecutionTrace
from tierproof.model.observe.harmless import harmless
from tierproof.model.observe.mixing_weights import measure_sum_error
from tierproof.model.observe.operation_watch import OperationWatch
from tierproof.model.observe.tensor_product import PRODUCTS, read_product

# Operations that rearrange weights and leave their values.
_REARRANGE = frozenset(
    {"transpose", "permute", "view", "reshape", "contiguous", "unsqueeze", "squeeze", "expand", "expand_as", "flatten",
     "unflatten", "to", "float", "type_as", "clone", "dropout", "__getitem__", "movedim", "swapaxes", "view_as", "mT",
     "T"}
)  # fmt: skip
_TIMES = frozenset({"mul", "__mul__", "__rmul__", "multiply"})

# Sums of up to a few hundred fp32 or bf16 weights.
_SUM_TOLERANCE = 2e-2


@dataclass(frozen=True)
class WeightedSum:
    """One sum of values that were multiplied by the weights of a softmax.

    Attributes:
        path: of the module that summed.
        terms: the number of values in each sum.
        sum_error: largest |sum − 1| of the weights over the axes that were summed.
        shared_error: the smallest |sum − 1| over another axis which weights and values have in common; infinite where
            there is none.
    """

    path: str
    terms: int
    sum_error: float
    shared_error: float


class PoolingCapture(OperationWatch):
    """While active, collects in `sums` the weighted sums whose weights do not sum to one.

    It follows weights that are only rearranged between the softmax and the product: `einsum`, `matmul`, or a
    multiplication and a sum.
    """

    def __init__(self, trace: ExecutionTrace) -> None:
        super().__init__()
        self.sums: list[WeightedSum] = []
        self.failures: list[str] = []
        self._trace = trace
        # By id, with the tensor itself, so that no id is given out twice.
        self._weights: dict[int, Tensor] = {}
        self._weighted: dict[int, tuple[Tensor, Tensor]] = {}

    def after(self, name: str, args: tuple[Any, ...], kwargs: Mapping[str, Any], result: Any) -> None:
        """Follow the weights."""
        with harmless(self.failures):
            self._note(name, args, kwargs, result)

    def _is_weights(self, value: Any) -> bool:
        return isinstance(value, Tensor) and self._weights.get(id(value)) is value

    def _note(self, name: str, args: tuple[Any, ...], kwargs: Mapping[str, Any], result: Any) -> None:
        if not isinstance(result, Tensor):
            return
        if name == "softmax" or (name in _REARRANGE and args and self._is_weights(args[0])):
            self._weights[id(result)] = result
        elif name in PRODUCTS:
            self._note_product(name, args, kwargs)
        elif name in _TIMES and len(args) == 2:
            weights = [value for value in args if self._is_weights(value)]
            others = [value for value in args if isinstance(value, Tensor) and not self._is_weights(value)]
            if len(weights) == 1 and len(others) == 1 and weights[0].dim() == result.dim():
                self._weighted[id(result)] = (result, weights[0])
        elif name == "sum" and args and id(args[0]) in self._weighted:
            self._note_sum(args, kwargs)

    def _note_product(self, name: str, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> None:
        product = read_product(name, args, kwargs)
        for operand in (product.first, product.second) if product is not None else ():
            if self._is_weights(operand.tensor):
                own = (*operand.summed, *operand.rest)
                shared = [axis for axis in range(operand.tensor.dim()) if axis not in own]
                self._measure(operand.tensor, operand.summed, shared)
                return

    def _note_sum(self, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> None:
        product, weights = self._weighted[id(args[0])]
        axis = kwargs.get("dim", args[1] if len(args) > 1 else None)
        if product is not args[0] or not isinstance(axis, int):
            return
        axis %= product.dim()
        if weights.shape[axis] != product.shape[axis]:
            return
        self._measure(weights, (axis,), [other for other in range(weights.dim()) if other != axis])

    def _measure(self, weights: Tensor, summed: tuple[int, ...], shared: list[int]) -> None:
        values = weights.detach().double()
        terms = math.prod(values.shape[axis] for axis in summed)
        error = measure_sum_error(values, summed)
        if error <= _SUM_TOLERANCE:
            return
        errors = [measure_sum_error(values, (axis,)) for axis in shared if values.shape[axis] > 1]
        self.sums.append(WeightedSum(self._trace.current, terms, error, min(errors, default=float("inf"))))

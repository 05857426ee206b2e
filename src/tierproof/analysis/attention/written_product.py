"""What a product of weights and values is made of, whatever the layout in which a model writes it."""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor

from tierproof.analysis.attention.row_layout import RowLayout
from tierproof.model.observe.tensor_product import Operand


@dataclass(frozen=True)
class WrittenProduct:
    """One product of weights with values, over one axis of keys.

    Attributes:
        weights: the operand that holds the weights.
        layout: tells heads from rows.
    """

    weights: Operand
    layout: RowLayout

    @property
    def ordered(self) -> Tensor:
        """The weights, [batch, heads, queries, keys]."""
        operand = self.weights
        return self.layout.part(operand.tensor.detach().movedim((*operand.rest, *operand.summed), (-2, -1)))

    @property
    def _lead(self) -> tuple[int, ...]:
        operand = self.weights
        return tuple(a for a in range(operand.tensor.dim()) if a not in (*operand.rest, *operand.summed))

    def order_outputs(self, result: Tensor) -> Tensor:
        """The product, [batch, heads, queries, width]."""
        placed = [self.weights.placed[axis] for axis in (*self._lead, *self.weights.rest)]
        others = [axis for axis in range(result.dim()) if axis not in placed]
        ordered = result.detach().permute(*placed, *others).flatten(len(placed))
        return self.layout.part(ordered)

    def gate(self, result: Tensor, factors: Tensor) -> Tensor:
        """The product with the output of each head times a factor, [heads]."""
        shape = [self.weights.tensor.shape[axis] for axis in self._lead]
        spread = self.layout.spread(factors, tuple(shape))
        placed = [self.weights.placed[axis] for axis in self._lead]
        order = sorted(range(len(placed)), key=lambda at: placed[at])
        spread = spread.permute(*order) if placed else spread
        view = [1] * result.dim()
        for at in order:
            view[placed[at]] = shape[at]
        return result * spread.reshape(view)

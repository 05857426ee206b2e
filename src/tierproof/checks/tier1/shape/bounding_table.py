"""Find the table that bounds the length where no maximum is declared."""

from __future__ import annotations

from torch import nn
from torch.nn.parameter import is_lazy


def find_table(model: nn.Module, length: int) -> str:
    """The parameter or buffer that has this many rows, perhaps with some for class tokens; empty for none."""
    tensors = [*model.named_parameters(), *model.named_buffers()]
    sizes = {length, length + 1, length + 2}
    return next(
        (path for path, t in tensors if not is_lazy(t) and t.dim() >= 2 and sizes & set(t.shape[:-1])), ""
    )

"""Find codebooks that hold nothing yet: buffers of zeros that a forward pass looks vectors up in."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import torch
from torch import Tensor, nn

from tierproof.model.call.substitution import draw_noise
from tierproof.model.observe.operation_watch import OperationWatch

_LOOKUPS = frozenset({"embedding", "index_select", "__getitem__", "gather", "take_along_dim"})


class _LookupWatch(OperationWatch):
    def __init__(self, blank: Mapping[int, str]) -> None:
        super().__init__()
        self.read: set[str] = set()
        self._blank = blank

    def before(self, name: str, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> None:
        """Note a table of zeros that is looked up by indices."""
        if name in _LOOKUPS:
            values = (*args, *kwargs.values())
            whole = any(isinstance(v, Tensor) and not v.is_floating_point() for v in values)
            self.read |= {self._blank[id(v)] for v in values if whole and id(v) in self._blank}


def fill_blank_codebooks(model: nn.Module, run: Callable[[], object], seed: int) -> dict[str, Tensor]:
    """Vectors for each codebook of zeros, by the name of its buffer; empty where there is none.

    A quantiser whose codebook is made from the first batch that it is trained on has one for all inputs until then.
    """
    blank = {
        id(buffer): name
        for name, buffer in model.named_buffers()
        if buffer.is_floating_point()
        and buffer.dim() >= 2
        and buffer.shape[-2] > 1
        and not bool(buffer.any())
    }
    if not blank:
        return {}
    watch = _LookupWatch(blank)
    with torch.no_grad(), watch:
        run()
    generator = torch.Generator().manual_seed(seed)
    buffers = dict(model.named_buffers())
    return {name: draw_noise(buffers[name], generator, zero_scale=1.0) for name in sorted(watch.read)}

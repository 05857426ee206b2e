"""Tell whether a forward pass drew random numbers."""

from __future__ import annotations

import torch
from torch import Tensor


def may_have_drawn(device: torch.device, state: Tensor) -> bool:
    """Whether random numbers may have been drawn since `torch.get_rng_state()` gave `state`.

    Only the CPU's generator is asked: for another device the answer is yes.
    """
    return device.type != "cpu" or not torch.equal(state, torch.get_rng_state())

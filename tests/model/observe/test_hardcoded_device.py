"""Whether the source of a class puts an attribute on a device of its own choice."""

from __future__ import annotations

import torch
from torch import nn

from tierproof.model.observe.hardcoded_device import chooses_device


class Holder(nn.Module):
    def __init__(self, device="cpu"):
        super().__init__()
        self.plain = torch.ones(3)
        self.wide = torch.ones(3).to(torch.float64)
        self.placed = torch.ones(3, device=device)
        self.sent = torch.ones(3).to(device)
        self.inner = nn.Identity()


def test_only_what_names_a_device_is_chosen():
    holder = nn.Sequential(Holder())
    assert [chooses_device(holder, f"0.{name}") for name in ("plain", "wide")] == [False, False]
    assert [chooses_device(holder, f"0.{name}") for name in ("placed", "sent")] == [True, True]

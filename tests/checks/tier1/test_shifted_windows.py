"""T1-ROLL: windows of a rolled map, with a mask for both axes, for one, and for none."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from checks.planting import alarms, find, run_check
from tierproof.checks.tier1.shifted_windows import CHECK

_SIDE, _WINDOW, _SHIFT = 8, 4, 2


def split(x):
    rows = x.unflatten(1, (-1, _WINDOW)).unflatten(3, (-1, _WINDOW)).transpose(2, 3)
    return rows.flatten(1, 2).flatten(2, 3)


def join(windows):
    half = _SIDE // _WINDOW
    rows = windows.unflatten(1, (half, half)).unflatten(3, (_WINDOW, _WINDOW)).transpose(2, 3)
    return rows.flatten(3, 4).flatten(1, 2)


class Windows(nn.Module):
    """Attention within the windows of a map that is rolled by two pixels along both axes."""

    image_size = _SIDE

    def __init__(self, axes, *, back=True):
        super().__init__()
        self.stem, self.mix, self.head = nn.Conv2d(3, 16, 1), nn.Linear(16, 48), nn.Linear(16, 5)
        part = torch.zeros(_SIDE, dtype=torch.long)
        part[-_WINDOW:-_SHIFT], part[-_SHIFT:] = 1, 2
        region = 3 * part[:, None] * ("rows" in axes) + part * ("columns" in axes)
        same = split(region[None, :, :, None])[0, :, :, 0]
        self.register_buffer("joined", same[:, None] == same[:, :, None])
        self.back = back

    def forward(self, images):
        x = self.stem(images).movedim(1, 3)
        rolled = split(torch.roll(x, (-_SHIFT, -_SHIFT), (1, 2)))
        q, k, v = self.mix(rolled).chunk(3, -1)
        weights = (q @ k.transpose(2, 3) / 4).masked_fill(~self.joined, -1e4).softmax(-1)
        mixed = join(weights @ v)
        return self.head(x + torch.roll(mixed, (_SHIFT, _SHIFT), (1, 2)) if self.back else mixed)


@pytest.mark.parametrize(("axes", "axis"), [("rows", 2), ("columns", 1), ("", 1)])
def test_borders_that_meet_are_found_along_their_axis(axes, axis):
    torch.manual_seed(0)
    finding = find(run_check(CHECK, Windows(axes)), "T1-ROLL-001")
    assert finding.evidence["axis"] == axis


def test_masked_windows_and_a_map_that_is_not_rolled_back_are_silent():
    torch.manual_seed(0)
    assert alarms(run_check(CHECK, Windows("rows columns"))) == []
    assert run_check(CHECK, Windows("rows", back=False)).skipped

"""What PyTorch itself cannot walk is refused with its class and what to do."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

import tierproof
from tierproof.model.load.target import TargetError


class Scale(nn.Module):  # noqa: PLW1641 - the fault that is tested
    """Equal by its width: Python takes the hash of such a class away."""

    def __init__(self) -> None:
        super().__init__()
        self.gain = nn.Parameter(torch.ones(4))

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Scale)

    def forward(self, x: Tensor) -> Tensor:
        return x * self.gain


class Holder(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.scale = Scale()

    def forward(self, x: Tensor) -> Tensor:
        return self.scale(x)


@pytest.mark.parametrize("model", [Scale, Holder])
def test_a_module_without_a_hash_is_refused_by_name(model):
    with pytest.raises(TargetError, match=r"Scale.* cannot be hashed") as caught:
        tierproof.check(model(), progress=False)
    assert "__hash__" in str(caught.value.hint)

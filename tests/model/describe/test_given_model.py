"""Which module a user means, and what is refused."""

from __future__ import annotations

import pytest
from torch import nn

from tierproof.model.describe.given_model import refuse_uncheckable
from tierproof.model.load.target import TargetError
from zoo.handwritten import CharGPT


@pytest.mark.parametrize("model", [nn.Module(), nn.Sequential(), nn.ReLU(), CharGPT])
def test_nothing_to_check(model):
    with pytest.raises(TargetError):
        refuse_uncheckable(model)

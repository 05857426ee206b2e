"""Building a module is given up when it grows beyond its limit."""

from __future__ import annotations

import pytest
from torch import nn

from tierproof.model.sizes.size_limit import SizeLimit, TooLargeError


def test_another_of_the_same_size_is_built_and_a_larger_one_is_not():
    with SizeLimit.for_another(nn.Linear(8, 8)):
        nn.Linear(8, 8)
    with pytest.raises(TooLargeError), SizeLimit.for_another(nn.Linear(8, 8)):
        nn.Linear(4000, 4000)

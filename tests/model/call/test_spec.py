from __future__ import annotations

import pytest

from tierproof.errors import UsageError
from tierproof.model.call.spec import ModelSpec


@pytest.mark.parametrize(
    "values",
    [
        {"kind": "gpt"},
        {"vocab_size": 0},
        {"vocab_size": True},
        {"max_length": "64"},
        {"channels": -1},
        {"features": 1.5},
        {"image_size": (32,)},
        {"image_size": (32, 0)},
        {"image_size": "big"},
        {"causal": "yes"},
        {"batch_first": 3},
        {"vocabulary": 5},
    ],
)
def test_bad_values_are_refused(values):
    with pytest.raises(UsageError):
        ModelSpec.from_mapping(values)


def test_one_side_means_a_square():
    assert ModelSpec(image_size=32).image_size == (32, 32)
    assert ModelSpec.from_mapping({"image_size": [24, 32]}).image_size == (24, 32)

"""`--inputs FILE.py:NAME`."""

from __future__ import annotations

import pytest
import torch

from tierproof.model.load.input_error import InputError
from tierproof.model.load.load_inputs import load_inputs
from tierproof.model.load.target import TargetError


@pytest.fixture
def inputs(tmp_path):
    path = tmp_path / "inputs.py"
    path.write_text(
        "import torch\nready = torch.arange(4)\npair = (ready, ready)\n"
        "def make():\n    return {'x': torch.randn(2, 3)}\n"
        "def needs(batch):\n    return batch\n"
        "def raises():\n    raise ValueError('no data')\n"
    )
    return path


def test_values_and_functions(inputs):
    assert torch.equal(load_inputs(f"{inputs}:ready")[0], torch.arange(4))
    assert len(load_inputs(f"{inputs}:pair")[0]) == 2
    state = torch.get_rng_state()
    first, again = (load_inputs(f"{inputs}:make", seed=3)[0]["x"] for _ in range(2))
    assert torch.equal(first, again)
    assert torch.equal(torch.get_rng_state(), state)


def test_refusals(inputs):
    with pytest.raises(InputError, match="batch"):
        load_inputs(f"{inputs}:needs")
    with pytest.raises(InputError, match=r"inputs.py:9: ValueError: no data"):
        load_inputs(f"{inputs}:raises")
    with pytest.raises(TargetError, match="does not define 'absent'"):
        load_inputs(f"{inputs}:absent")
    with pytest.raises(TargetError, match="no file"):
        load_inputs(f"{inputs.parent}/absent.py:x")

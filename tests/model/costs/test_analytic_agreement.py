"""tierproof's figures against equations written out in benchmarks/analytic.py."""

from __future__ import annotations

import importlib
import sys
from pathlib import Path

import pytest
import torch

from tierproof.model.costs.flops import count_flops
from tierproof.model.costs.saved_activations import SavedActivations
from tierproof.model.sizes.parameter_count import count_parameters

pytest.importorskip("transformers")
_FOLDER = str(Path(__file__).resolve().parents[3] / "benchmarks")
_NAMES = ("GPT-2", "BERT", "ViT")
_BASE_PARAMETERS = {"GPT-2": 124_439_808, "BERT": 109_514_298, "ViT": 86_567_656}


@pytest.fixture(scope="module")
def make_families():
    sys.path.insert(0, _FOLDER)
    try:
        yield importlib.import_module("families").make_families
    finally:
        sys.path.remove(_FOLDER)


@pytest.mark.parametrize("index", range(3), ids=_NAMES)
def test_tiny_models_agree_exactly(make_families, index):
    family = make_families(base=False, batch=3, length=20)[index]
    torch.manual_seed(0)
    model, inputs = family.build(), family.inputs()
    assert count_parameters(model).parameters == family.figures.parameters
    assert count_flops(model.eval(), lambda: model(**inputs)).total == family.figures.forward_flops
    with SavedActivations(model.train(), inputs.values()) as saved:
        loss = family.loss(model, inputs)
        measured = saved.bytes
    assert loss.requires_grad
    assert measured == pytest.approx(family.figures.saved_bytes, rel=0.01)


@pytest.mark.parametrize("index", range(3), ids=_NAMES)
def test_base_parameters_on_the_meta_device(make_families, index):
    family = make_families(base=True)[index]
    with torch.device("meta"):
        model = family.build()
    assert count_parameters(model).parameters == family.figures.parameters == _BASE_PARAMETERS[family.name]

"""Captured weights equal those of eager attention on every architecture of the zoo that returns them."""

from __future__ import annotations

import pytest

from analysis.attention.eager_maps import compare_with_eager
from zoo.healthy import ZooModel, list_zoo

transformers = pytest.importorskip("transformers")

# What eager attention returns is no map of weights over keys as they are used, or nothing that a pass could show.
NOT_THE_WEIGHTS = {
    "cpmant": "its maps are cut at the end of the prompt",
    "led": "its maps are bands, and compared on their own (test_banded_attention)",
    "longformer": "as led",
    "pegasus_x": "its local maps are blocks, and compared on their own (test_banded_attention)",
    "groupvit": "its maps are scores of a hard assignment before the choice",
    "nemotron_asr_streaming": "its eager attention gives NaN alone",
    "minimax": "lightning attention, which is linear, returns its state",
    "prophetnet": "its maps are scores before the softmax",
    "rf_detr": "weights of deformable attention, over sampled points and not keys",
    "rwkv": "a recurrence, which returns its state",
    "squeezebert": "its maps are scores before the softmax",
    "t5gemma2": "one softmax over its own and the encoder's keys, cut in two",
    "wavlm": "its maps are the mean over the heads",
    "yoso": "sampled hashes, without weights",
}
# SDPA and eager of transformers give different weights here; the capture of the eager pass is compared.
MASKED_DIFFERENTLY = {"aimv2", "falcon"}
# Rounding of the layers before, in scores of large magnitude.
LARGER_ROUNDING = {"gemma4": 2e-5, "gemma4_text": 2e-5}
EAGER_RAISES = {"unlimited_ocr"}
# In every run; the others with the slow tests.
QUICK = ("hf-llama", "hf-bert", "hf-t5", "hf-vit", "hf-swin", "hf-gpt_oss")


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """One test for each other model of the zoo, where slow tests run: listing them imports transformers whole."""
    if "other_model" in metafunc.fixturenames:
        slow = "not slow" not in metafunc.config.option.markexpr
        models = [m for m in list_zoo() if m.name.startswith("hf-") and m.name not in QUICK] if slow else []
        metafunc.parametrize("other_model", models, ids=[model.name for model in models])


def compare(model: ZooModel, monkeypatch: pytest.MonkeyPatch) -> None:
    name = model.name.removeprefix("hf-")
    monkeypatch.setattr("analysis.attention.eager_maps.TOLERANCE", LARGER_ROUNDING.get(name, 1e-5))
    inputs = None if model.draw_inputs is None else model.draw_inputs(0)
    if name in EAGER_RAISES:
        with pytest.raises(RuntimeError):
            compare_with_eager(model.build(0), inputs)
        return
    found = compare_with_eager(model.build(0), inputs, same_implementation=name in MASKED_DIFFERENTLY)
    if name in NOT_THE_WEIGHTS:
        assert found.apart, "captured now: take it off the list"
    else:
        assert found.apart == ()
        assert found.captured >= found.eager


@pytest.mark.parametrize("name", QUICK)
def test_weights_equal_eager_attention_on_some_of_the_zoo(name, monkeypatch):
    (model,) = (model for model in list_zoo() if model.name == name)
    compare(model, monkeypatch)


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_weights_equal_eager_attention_on_the_rest_of_the_zoo(other_model, monkeypatch):
    compare(other_model, monkeypatch)

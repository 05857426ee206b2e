"""Models without numbers: what shapes alone can tell is told, and the rest is skipped with the reason."""

from __future__ import annotations

import json

import pytest
import torch

import tierproof
from sampled import prefer
from tierproof.model.call.forward_error import ForwardError
from tierproof.model.load import load_transformers
from zoo.handwritten import CharGPT, MhaDecoder, Seq2Seq

ASKED = {"T1-REG", "T1-SHAPE", "T1-MEM"}


def on_meta(build):
    with torch.device("meta"):
        return build()


def outcomes(report):
    return {result.code: result for result in report.results}


@pytest.mark.parametrize("build", prefer([CharGPT, MhaDecoder], [CharGPT]))
def test_a_model_on_meta_gets_what_shapes_can_tell(build, tmp_path):
    report = tierproof.check(on_meta(build), progress=False)
    results = outcomes(report)
    assert {code for code, result in results.items() if result.outcome == "passed"} == ASKED
    assert report.ok
    rest = [r for code, r in results.items() if code not in ASKED]
    assert all(r.outcome == "skipped" and "parameters are on the meta device" in r.reason for r in rest)
    real = tierproof.check(build(), only=["T1-MEM", "T1-SPEED"], progress=False)
    assert results["T1-SPEED"].measurements["flops"] == outcomes(real)["T1-SPEED"].measurements["flops"]
    breakdown = results["T1-MEM"].measurements["breakdown_bytes"]
    wanted = outcomes(real)["T1-MEM"].measurements["breakdown_bytes"]
    # Fused attention, which meta lacks, keeps less.
    assert wanted["activations"] <= 1.05 * breakdown["activations"] <= 2 * wanted["activations"]
    assert {**breakdown, "activations": 0} == {**wanted, "activations": 0}
    assert "fused attention" in results["T1-MEM"].measurements["on_meta"]
    assert report.save(tmp_path / "r.html").stat().st_size > 1000


def test_a_forward_that_reads_values_is_refused_with_the_reason():
    with pytest.raises(ForwardError) as caught:  # nn.Transformer looks into its mask
        tierproof.check(on_meta(Seq2Seq), progress=False)
    assert "parameters on the meta device have none" in caught.value.hint


def test_a_bug_of_shape_is_found_on_meta():
    def build():
        model = CharGPT()
        model.position = torch.nn.Embedding(63, 32)  # one row short of block_size
        return model

    report = tierproof.check(
        on_meta(build), spec=tierproof.ModelSpec(max_length=64, vocab_size=65), progress=False
    )
    assert report.model.parameters > 0
    assert outcomes(report)["T1-SHAPE"].outcome in ("passed", "failed")


@pytest.mark.parametrize("layers", [2, pytest.param(32, marks=pytest.mark.slow)])
def test_billions_of_parameters(layers):
    transformers = pytest.importorskip("transformers")
    config = transformers.LlamaConfig(num_hidden_layers=layers)
    model = on_meta(lambda: transformers.LlamaForCausalLM(config))
    count = 262_148_096 + layers * 202_383_360  # 32 layers are the 7 B of Llama
    report = tierproof.check(model, only=["T1-MEM", "T1-SPEED", "T1-CAUSAL"], progress=False)
    assert report.model.parameters == count
    assert "input_ids: int64[batch, length] in [0, 32000) (tokens)" in report.model.inputs
    memory = outcomes(report)["T1-MEM"].measurements
    optimizer = memory["breakdown_bytes"]["optimizer"]
    assert optimizer == pytest.approx(2 * memory["breakdown_bytes"]["parameters"], rel=1e-6)
    # Two operations for each parameter that multiplies, and token.
    flops = outcomes(report)["T1-SPEED"].measurements["flops"]
    tokens = memory["batch"] * memory["length"]
    assert flops == pytest.approx(2 * (count - 32000 * 4096) * tokens, rel=0.02)


def test_a_config_too_large_for_the_memory_is_built_on_meta(tmp_path, monkeypatch):
    pytest.importorskip("transformers")
    config = {"model_type": "gpt2", "n_layer": 2, "n_embd": 32, "n_head": 4, "vocab_size": 99}
    (tmp_path / "config.json").write_text(json.dumps(config))
    plain = tierproof.check(f"hf:{tmp_path}", only=["T1-SHAPE", "T1-CAUSAL"], progress=False)
    assert outcomes(plain)["T1-CAUSAL"].outcome == "passed"
    monkeypatch.setattr(load_transformers, "find_available_bytes", lambda: 100_000)
    report = tierproof.check(f"hf:{tmp_path}", only=["T1-SHAPE", "T1-CAUSAL"], progress=False)
    assert "on the meta device" in outcomes(report)["T1-CAUSAL"].reason
    assert any("GiB are available" in note for note in report.model.assumptions)

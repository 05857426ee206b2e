"""Checkpoints: what fits is loaded, what does not is named, what would run code is refused."""

from __future__ import annotations

import json
import os
import pickle

import pytest
import torch
from torch import nn

from tierproof.model.load import weights
from tierproof.model.load.target import TargetError
from tierproof.model.load.weights import find_surplus_copies, load_checkpoint, read_checkpoint


class Harmful:
    def __reduce__(self):
        return os.mkdir, ("harmed",)


def refusal(folder) -> str:
    with pytest.raises(TargetError) as caught:
        read_checkpoint(folder)
    assert caught.value.hint
    assert len(caught.value.message) < 700
    return caught.value.message


def test_nothing_there(tmp_path):
    assert "no weights" in refusal(tmp_path)


@pytest.mark.parametrize("save", [torch.save, lambda value, path: path.write_bytes(pickle.dumps(value))])
def test_a_pickle_that_would_run_code(tmp_path, monkeypatch, save):
    monkeypatch.chdir(tmp_path)
    save({"weight": Harmful()}, tmp_path / "pytorch_model.bin")
    message = refusal(tmp_path)
    assert "cannot load" in message
    assert "would run code" in message
    assert not (tmp_path / "harmed").exists()


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("pytorch_model.bin", b""),
        ("pytorch_model.bin", b"PK\x03\x04broken"),
        ("model.safetensors", b"short"),
        ("model.safetensors", b"\xff" * 64),
    ],
)
def test_a_damaged_file(tmp_path, name, content):
    (tmp_path / name).write_bytes(content)
    assert name in refusal(tmp_path)


@pytest.mark.parametrize("value", [[torch.ones(1)], {"weight": 3}, torch.ones(2)])
def test_no_state_dict(tmp_path, value):
    torch.save(value, tmp_path / "model.pt")
    assert "does not contain a state_dict" in refusal(tmp_path)


@pytest.mark.parametrize(
    ("index", "word"),
    [
        ("{", "not a valid checkpoint index"),
        ("[]", "not a valid checkpoint index"),
        ('{"weight_map": {"a": "../outside.bin"}}', "outside its folder"),
        ('{"weight_map": {"a": "absent.bin"}}', "absent.bin, which does not exist"),
    ],
)
def test_a_damaged_index(tmp_path, index, word):
    (tmp_path / "pytorch_model.bin.index.json").write_text(index)
    assert word in refusal(tmp_path)


def test_an_old_torch_reads_no_pickle_without_trust(tmp_path, monkeypatch):
    torch.save({"weight": torch.ones(1)}, tmp_path / "model.pt")
    monkeypatch.setattr(weights.torch, "__version__", "2.5.1")
    assert "CVE-2025-32434" in refusal(tmp_path)
    assert torch.equal(read_checkpoint(tmp_path, trust=True)["weight"], torch.ones(1))


def test_a_checkpoint_that_does_not_fit_names_the_keys():
    module = nn.Sequential(nn.Linear(2, 2), nn.Linear(2, 2), nn.LayerNorm(2))
    state = {"0.weight": torch.ones(3, 2), "0.bias": torch.ones(2), "9.weight": torch.ones(1)}
    before = {name: value.clone() for name, value in module.state_dict().items()}
    with pytest.raises(TargetError) as caught:
        load_checkpoint(module, state, "ckpt")
    assert "it lacks 1.weight, 1.bias, 2.weight and 1 more" in caught.value.message
    assert "the model has no 9.weight" in caught.value.message
    assert "0.weight ([3, 2] in the checkpoint, [2, 2] in the model)" in caught.value.message
    assert all(torch.equal(before[name], value) for name, value in module.state_dict().items())


def test_surplus_copies():
    own = ["h.0.attn.weight", "h.1.attn.weight", "head.weight"]
    assert find_surplus_copies(["h.2.attn.weight", "pooler.weight"], own) == ["h.2.attn.weight"]


def test_an_index_is_json_of_names(tmp_path):
    torch.save({"a": torch.ones(1)}, tmp_path / "one.bin")
    torch.save({"b": torch.ones(1)}, tmp_path / "two.bin")
    index = {"weight_map": {"a": "one.bin", "b": "two.bin"}}
    (tmp_path / "pytorch_model.bin.index.json").write_text(json.dumps(index))
    assert set(read_checkpoint(tmp_path)) == {"a", "b"}

"""`DIR/`: model.py with the arguments that config.json gives it."""

from __future__ import annotations

import json
import sys

import pytest
import torch

from tierproof.model.load.load import LoadOptions, load_target
from tierproof.model.load.target import TargetError

BY_NAME = """
from torch import nn
class Model(nn.Module):
    def __init__(self, width: int, depth: int = 1, dropout=0, bias=True, act: str = "gelu", sizes: tuple[int, ...] = (),
                 extra: dict | None = None, rate: float = 0.1, mode="fast", shape=(2, 2), heads: "int | None" = None):
        super().__init__()
        self.values = {"width": width, "depth": depth, "dropout": dropout, "sizes": sizes, "extra": extra}
        self.layer = nn.Linear(width, 3, bias=bool(bias))
"""
WHOLE = """
from torch import nn
class Model(nn.Module):
    def __init__(self, config{annotation}):
        super().__init__()
        self.config = config
        self.layer = nn.Linear({width}, 3)
"""
DATACLASS = """
from __future__ import annotations
from dataclasses import dataclass, field
from typing import Literal, Optional
@dataclass
class Norm:
    eps: float = 1e-5
@dataclass
class Config:
    width: int
    kind: Literal["a", "b"] = "a"
    norm: Optional[Norm] = None
"""


@pytest.fixture
def folder(tmp_path):
    def folder(source: str | None, config: object = None, config_text: str | None = None) -> str:
        if source is not None:
            (tmp_path / "model.py").write_text(source)
        if config is not None or config_text is not None:
            (tmp_path / "config.json").write_text(
                config_text if config_text is not None else json.dumps(config)
            )
        return f"{tmp_path}/"

    return folder


def refusal(target: str, **options) -> TargetError:
    with pytest.raises(TargetError) as caught:
        load_target(target, LoadOptions(**options))
    assert caught.value.hint
    return caught.value


def test_arguments_by_name(folder):
    config = {
        "width": 4,
        "dropout": 0.1,
        "sizes": [1, 2],
        "extra": {"a": 1},
        "bias": 1,
        "rate": 1,
        "heads": None,
    }
    model = load_target(folder(BY_NAME, config)).model
    assert model.values == {"width": 4, "depth": 1, "dropout": 0.1, "sizes": (1, 2), "extra": {"a": 1}}


@pytest.mark.parametrize(
    ("config", "words"),
    [
        ({"width": "big"}, ["width must be an integer, not 'big'"]),
        ({"width": 4.5}, ["width must be an integer"]),
        ({"width": True}, ["width must be an integer"]),
        ({"width": -4}, ["width is -4", "negative"]),
        ({"width": 4, "depth": None}, ["depth must be an integer"]),
        ({"width": 4, "dropout": "much"}, ["dropout must be a number"]),
        ({"width": 4, "bias": "yes"}, ["bias must be a number"]),
        ({"width": 4, "act": 3}, ["act must be a string"]),
        ({"width": 4, "mode": 3}, ["mode must be a string"]),
        ({"width": 4, "shape": "2x2"}, ["shape must be a list or an integer"]),
        ({"width": 4, "sizes": 3}, ["sizes must be a list"]),
        ({"width": 4, "extra": []}, ["extra must be an object"]),
        ({"width": 4, "rate": "x"}, ["rate must be a number"]),
        ({"width": 4, "heads": "x"}, ["heads must be an integer"]),
        ({"widht": 4}, ["no argument 'widht'"]),
        ({"depth": 4}, ["does not set width"]),
        ([1, 2], ["contains a list"]),
    ],
)
def test_a_config_that_does_not_fit(folder, config, words):
    error = refusal(folder(BY_NAME, config))
    assert "config.json" in error.message
    for word in words:
        assert word in error.message


def test_a_misspelt_name_is_guessed(folder):
    assert "Did you mean 'width'?" in refusal(folder(BY_NAME, {"widht": 4})).hint


@pytest.mark.parametrize("text", ["{", "", '{"a": 1,}'])
def test_a_config_that_is_no_json(folder, text):
    assert "config.json:1:" in refusal(folder(BY_NAME, config_text=text)).message


def test_a_config_that_cannot_be_read(folder, tmp_path):
    target = folder(BY_NAME)
    (tmp_path / "config.json").write_bytes(b'{"width": "\xff"}')
    assert "not UTF-8" in refusal(target).message
    (tmp_path / "config.json").write_text("[" * 100_000)
    assert "nested" in refusal(target).message


def test_without_the_config_it_needs(folder):
    assert "config.json" in refusal(folder(BY_NAME)).hint


@pytest.mark.parametrize(
    "width", ["config.width", 'config["width"]', 'config.get("width")', "dict(**config)['width']"]
)
@pytest.mark.parametrize("name", ["config", "cfg", "args"])
def test_the_whole_config_as_an_object(folder, width, name):
    source = WHOLE.format(annotation="", width=width).replace("config", name)
    model = load_target(folder(source, {"width": 4, "nested": {"deep": [{"x": 1}]}})).model
    held = getattr(model, name)
    assert held.nested.deep[0].x == 1
    assert getattr(held, "bias", "absent") == "absent"
    held.added = 3
    assert held["added"] == 3
    del held.added
    assert "added" not in held


def test_the_whole_config_lacks_what_is_read(folder):
    error = refusal(folder(WHOLE.format(annotation="", width="config.width"), {"widht": 4}))
    assert "model.py:7" in error.message
    assert "no 'width'" in error.message
    assert "'widht'" in error.message
    assert "no 'width'" in refusal(folder(WHOLE.format(annotation="", width="config['width']"), {})).message


@pytest.mark.parametrize("annotation", [": dict", ": 'Config'", ": 'Config | None' = None", ": 'Unknown'"])
def test_the_config_as_its_annotation_says(folder, annotation):
    width = "config['width']" if "dict" in annotation else "config.width"
    source = DATACLASS + WHOLE.format(annotation=annotation, width=width)
    model = load_target(folder(source, {"width": 4, "norm": {"eps": 0.1}})).model
    assert type(model.config).__name__ == ("Config" if "Config" in annotation else "ConfigObject")
    if "Config" in annotation:
        assert type(model.config.norm).__name__ == "Norm"


@pytest.mark.parametrize(
    ("config", "word"),
    [
        ({"width": "big"}, "width must be an integer"),
        ({"width": 4, "kind": "c"}, "kind must be one of 'a', 'b'"),
        ({"width": 4, "depth": 2}, "no argument 'depth'"),
        ({}, "does not set width"),
        ({"width": 4, "norm": {"eps": "small"}}, "eps must be a number"),
    ],
)
def test_a_dataclass_refuses_what_does_not_fit(folder, config, word):
    assert word in refusal(folder(DATACLASS + WHOLE.format(annotation=": Config", width=4), config)).message


def test_a_config_class_of_ones_own(folder):
    plain = "class Config:\n    def __init__(self, width: int):\n        self.width = width\n"
    source = plain + WHOLE.format(annotation=": Config", width="config.width")
    assert load_target(folder(source, {"width": 4})).model.layer.in_features == 4
    assert "does not set width" in refusal(folder(source, {})).message
    raising = plain + "        if width > 9:\n            raise ValueError('too wide')\n"
    error = refusal(folder(raising + WHOLE.format(annotation=": Config", width=4), {"width": 10}))
    assert "too wide" in error.message
    from_dict = "class Config:\n    @classmethod\n    def from_dict(cls, values):\n        made = cls()\n        made.__dict__ = values\n        return made\n"
    assert load_target(
        folder(from_dict + WHOLE.format(annotation=": Config", width="config.width"), {"width": 4})
    )


def test_a_builder_gets_the_config_too(folder):
    source = (
        "from torch import nn\ndef build_model(width: int, **rest):\n    return nn.Linear(width, len(rest))\n"
    )
    model = load_target(folder(source, {"width": 3, "a": 1, "b": 2})).model
    assert (model.in_features, model.out_features) == (3, 2)


def test_a_config_that_nobody_takes_is_noted(folder):
    source = "from torch import nn\ndef build_model():\n    return nn.Linear(2, 2)\n"
    assert "takes no arguments" in load_target(folder(source, {"width": 3})).assumptions[0]


def test_a_raising_constructor_names_its_line(folder):
    source = "from torch import nn\nclass Model(nn.Module):\n    def __init__(self, width):\n        super().__init__()\n        self.a = nn.Linear(width, 2)\n"
    error = refusal(folder(source, {"width": "big"}))
    assert "model.py:5: TypeError" in error.message
    assert len(error.message) < 700


def test_folders_that_are_none(folder, tmp_path, monkeypatch):
    assert "no model.py" in refusal(folder(None)).message
    (tmp_path / "net.py").write_text("")
    assert "it has net.py" in refusal(folder(None)).message
    assert "hf:" in refusal(folder(None, {"model_type": "gpt2"})).hint
    assert "no folder" in refusal(f"{tmp_path}/absent/").message
    (tmp_path / "weights.bin").write_text("")
    assert "nor a .py file" in refusal(f"{tmp_path}/weights.bin").message
    monkeypatch.chdir(tmp_path)
    assert "some.module:NAME" in refusal("some.module").hint


@pytest.mark.parametrize("suffix", ["bin", "safetensors", "index", "nested"])
def test_weights_of_a_folder(folder, tmp_path, suffix):
    source = "from torch import nn\nclass Model(nn.Module):\n    def __init__(self):\n        super().__init__()\n        self.a = nn.Linear(2, 2)\n        self.b = self.a\n"
    target = folder(source)
    state = {"a.weight": torch.ones(2, 2), "a.bias": torch.zeros(2)}
    if suffix == "bin":
        torch.save(state, tmp_path / "pytorch_model.bin")
    elif suffix == "nested":
        torch.save({"state_dict": state, "step": 3}, tmp_path / "model.pt")
    else:
        from safetensors.torch import save_file

        name = "model.safetensors" if suffix == "safetensors" else "model-1.safetensors"
        save_file(state, tmp_path / name)
        if suffix == "index":
            index = {"weight_map": dict.fromkeys(state, name)}
            (tmp_path / "model.safetensors.index.json").write_text(json.dumps(index))
    model = load_target(target, LoadOptions(weights=True)).model
    assert torch.equal(model.a.weight, torch.ones(2, 2))
    assert not torch.equal(load_target(target).model.a.weight, torch.ones(2, 2))


def test_no_module_stays_behind(folder):
    before = set(sys.modules)
    load_target(folder(BY_NAME, {"width": 4}))
    refusal(folder(BY_NAME, {}))
    assert set(sys.modules) == before

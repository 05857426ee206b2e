"""`hf:` targets: the right class, random or saved parameters, and no code without trust."""

from __future__ import annotations

import json
import pickle
import sys
from pathlib import Path

import pytest
import torch

from loopback import site  # noqa: F401 - a fixture
from tierproof.model.load.load import LoadOptions, load_target
from tierproof.model.load.target import TargetError, UntrustedCodeError

transformers = pytest.importorskip("transformers")

TINY = {
    "vocab_size": 40,
    "hidden_size": 16,
    "num_hidden_layers": 2,
    "num_attention_heads": 2,
    "intermediate_size": 24,
}
GPT2 = {"model_type": "gpt2", "vocab_size": 40, "n_embd": 16, "n_layer": 2, "n_head": 2, "n_positions": 32}
T5 = {
    "model_type": "t5",
    "vocab_size": 40,
    "d_model": 16,
    "d_kv": 8,
    "d_ff": 24,
    "num_layers": 1,
    "num_heads": 2,
}
WHISPER = {
    "model_type": "whisper", "vocab_size": 60, "d_model": 16, "encoder_layers": 1, "decoder_layers": 1,
    "encoder_attention_heads": 2, "decoder_attention_heads": 2, "encoder_ffn_dim": 24, "decoder_ffn_dim": 24,
    "max_source_positions": 30, "max_target_positions": 20, "pad_token_id": 0, "bos_token_id": 1,
    "eos_token_id": 2, "decoder_start_token_id": 1,
}  # fmt: skip
VIT = {
    "model_type": "vit",
    **{k: v for k, v in TINY.items() if k != "vocab_size"},
    "image_size": 32,
    "patch_size": 8,
}
CLIP = {
    "model_type": "clip", "projection_dim": 8,
    "text_config": {**TINY, "max_position_embeddings": 16},
    "vision_config": {**TINY, "image_size": 32, "patch_size": 8},
}  # fmt: skip
MAMBA = {"model_type": "mamba", "vocab_size": 40, "hidden_size": 16, "num_hidden_layers": 1, "state_size": 4}


@pytest.fixture
def folder(tmp_path):
    def folder(config: dict, name: str = "hub_model") -> Path:
        path = tmp_path / name
        path.mkdir(exist_ok=True)
        (path / "config.json").write_text(json.dumps(config))
        return path

    return folder


def refusal(target: str, **options) -> TargetError:
    with pytest.raises(TargetError) as caught:
        load_target(target, LoadOptions(**options))
    assert caught.value.hint
    assert len(caught.value.message) < 900
    return caught.value


@pytest.mark.parametrize(
    ("config", "expected"),
    [
        (GPT2, "GPT2LMHeadModel"),
        ({"model_type": "bert", **TINY}, "BertForMaskedLM"),
        ({"model_type": "bert", **TINY, "is_decoder": True}, "BertLMHeadModel"),
        ({"model_type": "llama", **TINY, "num_key_value_heads": 1}, "LlamaForCausalLM"),
        (
            {"model_type": "mixtral", **TINY, "num_key_value_heads": 1, "num_local_experts": 2},
            "MixtralForCausalLM",
        ),
        (MAMBA, "MambaForCausalLM"),
        (T5, "T5ForConditionalGeneration"),
        (WHISPER, "WhisperForConditionalGeneration"),
        (VIT, "ViTForImageClassification"),
        (CLIP, "CLIPModel"),
    ],
)
def test_the_class_follows_the_config(folder, config, expected):
    loaded = load_target(f"hf:{folder(config)}")
    assert type(loaded.model).__name__ == expected
    assert any(expected in note for note in loaded.assumptions)
    assert {parameter.dtype for parameter in loaded.model.parameters()} == {torch.float32}


def test_the_named_architecture_is_built_without_assumption(folder):
    path = folder({**GPT2, "architectures": ["GPT2Model"]})
    loaded = load_target(f"hf:{path}")
    assert type(loaded.model).__name__ == "GPT2Model"
    assert loaded.assumptions == ()


def test_an_unknown_or_foreign_architecture_is_noted(folder):
    for name in ("MyOwnGPT", "BertModel"):
        loaded = load_target(f"hf:{folder({**GPT2, 'architectures': [name]})}")
        assert type(loaded.model).__name__ == "GPT2LMHeadModel"
        assert name in loaded.assumptions[0]


def test_an_architecture_alone_names_the_type(folder):
    config = {key: value for key, value in GPT2.items() if key != "model_type"} | {
        "architectures": ["GPT2Model"]
    }
    assert type(load_target(f"hf:{folder(config)}").model).__name__ == "GPT2Model"


def test_parameters_follow_the_seed_and_precision_is_noted(folder):
    path = folder({**GPT2, "torch_dtype": "bfloat16"})
    first, again, other = (load_target(f"hf:{path}", LoadOptions(seed=seed)) for seed in (1, 1, 2))
    weights = [loaded.model.transformer.wte.weight for loaded in (first, again, other)]
    assert torch.equal(weights[0], weights[1])
    assert not torch.equal(weights[0], weights[2])
    assert any("bfloat16" in note for note in first.assumptions)
    assert torch.get_default_dtype() is torch.float32


@pytest.mark.parametrize(
    ("config", "words"),
    [
        ({**GPT2, "n_embd": "big"}, ["n_embd", "number", "'big'"]),
        ({**GPT2, "n_embd": -16}, ["n_embd is -16"]),
        ({**GPT2, "n_layer": 1.5}, ["n_layer"]),
        ({**GPT2, "n_layer": -2}, ["n_layer is -2"]),
        ({**GPT2, "n_head": 3}, ["GPT2LMHeadModel", "divisible"]),
        ({"model_type": "bert", **TINY, "hidden_size": "16"}, ["hidden_size"]),
        ({**CLIP, "text_config": {**TINY, "hidden_size": -1}}, ["text_config.hidden_size is -1"]),
        ({"model_type": "no-such-type"}, ["no-such-type"]),
        ({"model_type": 7}, ["model_type"]),
        ({"hidden_size": 16}, ["does not set model_type"]),
        ({"architectures": "GPT2Model"}, ["does not set model_type"]),
    ],
)
def test_a_config_that_builds_nothing(folder, config, words):
    path = folder(config)
    error = refusal(f"hf:{path}")
    assert "config.json" in error.message
    for word in words:
        assert word in error.message
    assert [item.name for item in path.iterdir()] == ["config.json"]


def test_folders_without_config(tmp_path):
    assert "no config.json" in refusal(f"hf:{tmp_path}").message
    (tmp_path / "file").write_text("")
    assert "is a file" in refusal(f"hf:{tmp_path}/file").message
    assert "no folder" in refusal(f"hf:{tmp_path}/absent").message


def saved(folder, config=GPT2, change=lambda state: None, **save_options) -> Path:
    path = folder(config)
    model = load_target(f"hf:{path}", LoadOptions(seed=9)).model
    state = {name: value.clone() for name, value in model.state_dict().items()}
    change(state)
    from safetensors.torch import save_file

    save_file(state, path / "model.safetensors")
    return path


def test_weights_are_loaded(folder):
    path = saved(folder)
    wanted = load_target(f"hf:{path}", LoadOptions(seed=9)).model.state_dict()
    loaded = load_target(f"hf:{path}", LoadOptions(seed=1, weights=True))
    assert all(torch.equal(value, wanted[name]) for name, value in loaded.model.state_dict().items())


def test_weights_of_the_bare_model_fit_one_with_a_head(folder):
    def strip(state):
        for name in list(state):
            state[name.removeprefix("transformer.")] = state.pop(name)
        state.pop("lm_head.weight")
        state["pooler.weight"] = torch.ones(2)

    loaded = load_target(f"hf:{saved(folder, change=strip)}", LoadOptions(weights=True))
    assert any("not used" in note and "pooler.weight" in note for note in loaded.assumptions)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda state: state.pop("transformer.ln_f.bias"), ["lacks transformer.ln_f.bias"]),
        (
            lambda state: state.update({"transformer.wpe.weight": torch.ones(8, 16)}),
            ["wpe.weight ([8, 16] in the checkpoint"],
        ),
        (
            lambda state: state.update({"transformer.h.2.ln_1.bias": torch.ones(16)}),
            ["no transformer.h.2.ln_1.bias"],
        ),
    ],
)
def test_weights_that_do_not_fit(folder, change, words):
    error = refusal(f"hf:{saved(folder, change=change)}", weights=True)
    assert "does not fit" in error.message
    for word in words:
        assert word in error.message


def test_weights_that_are_absent_harmful_or_quantised(folder, tmp_path):
    path = folder(GPT2)
    assert "no weights" in refusal(f"hf:{path}", weights=True).message

    class Harmful:
        def __reduce__(self):
            return Path.mkdir, (tmp_path / "harmed",)

    (path / "pytorch_model.bin").write_bytes(pickle.dumps({"a": Harmful()}, protocol=2))
    message = refusal(f"hf:{path}", weights=True).message
    assert "cannot load" in message
    assert "would run code" in message
    assert not (tmp_path / "harmed").exists()
    folder({**GPT2, "quantization_config": {"quant_method": "gptq", "bits": 4}})
    assert "quantised" in refusal(f"hf:{path}", weights=True).message


CODE = {
    "configuration_own.py": "from transformers import PretrainedConfig\nclass OwnConfig(PretrainedConfig):\n"
    "    model_type = 'own-type'\n    def __init__(self, width=4, **rest):\n        self.width = width\n"
    "        super().__init__(**rest)\n",
    "modeling_own.py": "from torch import nn\nfrom transformers import PreTrainedModel\nfrom .configuration_own import OwnConfig\n"
    "class OwnModel(PreTrainedModel):\n    config_class = OwnConfig\n    def __init__(self, config):\n"
    "        super().__init__(config)\n        self.layer = nn.Linear(config.width, 3)\n        self.post_init()\n",
}
OWN = {
    "model_type": "own-type",
    "width": 5,
    "auto_map": {
        "AutoConfig": "configuration_own.OwnConfig",
        "AutoModel": "modeling_own.OwnModel",
        "AutoTokenizer": ["x", None],
    },
}


def test_code_of_the_folder_needs_trust(folder):
    path = folder(OWN)
    for name, text in CODE.items():
        (path / name).write_text(text)
    with pytest.raises(UntrustedCodeError, match="--trust"):
        load_target(f"hf:{path}")
    before, path_before = set(sys.modules), list(sys.path)
    loaded = load_target(f"hf:{path}", LoadOptions(trust=True))
    assert loaded.model.layer.in_features == 5
    assert not [name for name in set(sys.modules) - before if "own" in name or "tierproof" in name]
    assert sys.path == path_before
    assert not (path / "__pycache__").exists()


def test_code_of_the_folder_is_left_alone_where_transformers_has_its_own(folder):
    path = folder({**GPT2, "auto_map": {"AutoModelForCausalLM": "modeling_own.OwnModel"}})
    loaded = load_target(f"hf:{path}")
    assert type(loaded.model).__name__ == "GPT2LMHeadModel"
    assert any("--trust" in note for note in loaded.assumptions)


@pytest.mark.parametrize(
    ("auto_map", "files", "word"),
    [
        ({"AutoConfig": "other/repo--configuration_own.OwnConfig"}, CODE, "another repository"),
        ({"AutoConfig": "nonsense"}, CODE, "not of the form module.Class"),
        ({"AutoConfig": "configuration_own.Absent"}, CODE, "does not define Absent"),
        ({"AutoConfig": "absent.OwnConfig"}, CODE, "no file"),
        (
            {"AutoConfig": "configuration_own.OwnConfig"},
            {"configuration_own.py": "1 / 0\n"},
            "configuration_own.py:1",
        ),
    ],
)
def test_code_that_does_not_load(folder, auto_map, files, word):
    path = folder({**OWN, "auto_map": auto_map})
    for name, text in files.items():
        (path / name).write_text(text)
    assert word in refusal(f"hf:{path}", trust=True).message


def test_an_own_config_without_a_model(folder):
    path = folder({**OWN, "auto_map": {"AutoConfig": "configuration_own.OwnConfig"}})
    (path / "configuration_own.py").write_text(CODE["configuration_own.py"])
    assert "no model for OwnConfig" in refusal(f"hf:{path}", trust=True).message


def test_an_id_is_fetched_from_the_hub(site, tmp_path, folder):  # noqa: F811
    source = saved(folder)
    at = "/owner/tiny/resolve/main"
    site.pages[f"{at}/config.json"] = (source / "config.json").read_bytes()
    options = LoadOptions(hub_url=site.url, cache_dir=tmp_path / "cache")
    assert type(load_target("hf:owner/tiny", options).model).__name__ == "GPT2LMHeadModel"
    assert (
        "no weights"
        in refusal("hf:owner/tiny", hub_url=site.url, cache_dir=tmp_path / "cache", weights=True).message
    )
    site.pages[f"{at}/model.safetensors"] = (source / "model.safetensors").read_bytes()
    options = LoadOptions(hub_url=site.url, cache_dir=tmp_path / "cache", weights=True)
    wanted = load_target(f"hf:{source}", LoadOptions(weights=True)).model.transformer.wte.weight
    for _ in range(2):
        assert torch.equal(load_target("hf:owner/tiny", options).model.transformer.wte.weight, wanted)
    assert not list((tmp_path / "cache").rglob("*.part"))


def test_sharded_weights_are_fetched(site, tmp_path, folder):  # noqa: F811
    source = saved(folder)
    at = "/tiny/resolve/main"
    index = {"weight_map": {"a": "shard-1.safetensors"}}
    site.pages |= {
        f"{at}/config.json": (source / "config.json").read_bytes(),
        f"{at}/model.safetensors.index.json": json.dumps(index).encode(),
    }
    options = {"hub_url": site.url, "cache_dir": tmp_path / "cache", "weights": True}
    assert "shard-1.safetensors" in refusal("hf:tiny", **options).message
    site.pages[f"{at}/shard-1.safetensors"] = (source / "model.safetensors").read_bytes()
    assert load_target("hf:tiny", LoadOptions(**options)).model is not None


def test_code_of_an_id_is_fetched_with_trust_alone(site, tmp_path):  # noqa: F811
    at = "/owner/own/resolve/main"
    site.pages[f"{at}/config.json"] = json.dumps(OWN).encode()
    options = {"hub_url": site.url, "cache_dir": tmp_path / "cache"}
    with pytest.raises(UntrustedCodeError):
        load_target("hf:owner/own", LoadOptions(**options))
    assert site.requests == [f"{at}/config.json"]
    message = refusal("hf:owner/own", trust=True, **options).message
    assert "owner/own" in message
    assert "_own.py" in message
    site.pages |= {f"{at}/{name}": text.encode() for name, text in CODE.items()}
    assert load_target("hf:owner/own", LoadOptions(trust=True, **options)).model.layer.in_features == 5


def test_a_hub_that_does_not_answer(site, tmp_path):  # noqa: F811
    options = {"hub_url": site.url, "cache_dir": tmp_path / "cache"}
    assert "owner/absent was not found" in refusal("hf:owner/absent", **options).message
    site.pages["/owner/gated/resolve/main/config.json"] = 401
    assert "gated" in refusal("hf:owner/gated", **options).message
    site.pages["/owner/ill/resolve/main/config.json"] = 500
    assert "500" in refusal("hf:owner/ill", **options).message
    options["hub_url"] = "http://127.0.0.1:9"
    assert "cannot fetch" in refusal("hf:owner/absent", **options).message
    options["hub_url"] = "ftp://example.org"
    assert "is not an http" in refusal("hf:owner/absent", **options).message
    assert not (tmp_path / "cache").exists()

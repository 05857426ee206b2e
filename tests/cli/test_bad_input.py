"""Bad input: exit 2, one clear message with a next step, and nothing written."""

from __future__ import annotations

import json
import pickle
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from cli.command import listing, run, write_model
from sampled import sample

HEAD = "import torch\nfrom torch import nn\n"
NET = "class {0}(nn.Module):\n    def __init__(self{1}):\n        super().__init__()\n        self.a = nn.Linear(4, 4)\n"
GPT2 = {"model_type": "gpt2", "vocab_size": 40, "n_embd": 16, "n_layer": 1, "n_head": 2, "n_positions": 16}


class Harmful:
    def __reduce__(self):
        return Path.touch, (Path("harmed"),)


@dataclass
class Case:
    """`files` to write, `options` after `check`, and the `words` the message must hold."""

    options: str
    words: list[str]
    files: Mapping[str, str | bytes] = field(default_factory=dict)
    prepare: Callable[[Path], object] = lambda folder: None


def checkpoint_that_does_not_fit(folder: Path) -> None:
    import torch
    from safetensors.torch import save_file

    save_file({"transformer.wte.weight": torch.ones(7, 16)}, folder / "hub" / "model.safetensors")


MODEL_AND_CONFIG = {
    "d/model.py": HEAD + NET.format("Model", ", width: int"),
    "d/config.json": '{"width": "big"}',
}
NEGATIVE = {**MODEL_AND_CONFIG, "d/config.json": '{"width": -4}'}
FOUND_AT_ONCE = {
    "a file that does not exist": Case("absent.py", ["no file absent.py"]),
    "no such folder": Case("absent/", ["no folder absent"]),
    "a syntax error": Case("m.py", ["m.py:1", "def f(:"], {"m.py": "def f(:\n"}),
    "a non-UTF-8 file": Case("m.py", ["m.py:2", "UTF-8"], {"m.py": b"x = 1\ny = '\xff'\n"}),
    "a file as bytes": Case("m.py", ["null bytes"], {"m.py": b"\0\0"}),
    "no target at all": Case("", ["TARGET"]),
    "an odd target": Case("m.py:1x", ["'1x'"]),
    "two targets": Case("m.py n.py", ["n.py"]),
    "an unknown option": Case("m.py --colour", ["--colour"]),
    "a tier that is not built": Case("m.py --tier 3", ["tier 3"]),
    "a tier that is none": Case("m.py --tier 9", ["--tier"]),
    "a seed that is none": Case("m.py --seed x", ["--seed"]),
    "a negative budget": Case("m.py --budget -1", ["--budget"]),
    "a device that is none": Case("m.py --device tpu", ["--device"]),
    "inputs that are none": Case("m.py --inputs x.csv", ["FILE.py:NAME"]),
    "a spec that is none": Case("m.py --spec vocab", ["KEY=VALUE"]),
    "an unknown spec field": Case("m.py --spec vocabulary=3", ["vocabulary"]),
    "a spec of a wrong type": Case("m.py --spec vocab_size=many", ["vocab_size"]),
    "a spec of a very wrong type": Case("m.py --spec image_size=2.5", ["image_size"]),
    "an unknown report format": Case("m.py -o r.pdf", [".pdf", ".html"]),
    "a report without a suffix": Case("m.py -o report", ["suffix"]),
    "an output folder that is absent": Case("m.py -o no/r.html", ["no/r.html"]),
    "an output path that is a folder": Case(
        "m.py -o d.html", ["folder"], prepare=lambda f: (f / "d.html").mkdir()
    ),
    "an output folder that is a file": Case("m.py -o m.txt/r.html", ["m.txt"], {"m.txt": ""}),
    "an output folder that cannot be written": Case("m.py -o /proc/r.html", ["/proc"]),
    "a config that is absent": Case("m.py --config no.toml", ["no.toml"]),
    "a config that is no TOML": Case("m.py", ["tierproof.toml", "line 1"], {"tierproof.toml": "[check\n"}),
    "a config with an unknown key": Case("m.py", ["'colour'"], {"tierproof.toml": "[check]\ncolour = 1\n"}),
    "a config that vouches": Case("m.py", ["trust"], {"tierproof.toml": "[check]\ntrust = true\n"}),
    "a config of a wrong type": Case(
        "m.py", ["seed", "integer"], {"tierproof.toml": "[check]\nseed = 'x'\n"}
    ),
    "a hub URL that is none": Case("hf:owner/x --hub-url nonsense", ["nonsense"]),
}
FOUND_WITH_TORCH = {
    "an import error": Case(
        "m.py", ["m.py:2", "'absent_package'"], {"m.py": "x = 1\nimport absent_package\n"}
    ),
    "no module found": Case("m.py", ["build_model"], {"m.py": "x = 1\n"}),
    "several candidates": Case(
        "m.py", ["One", "Two"], {"m.py": HEAD + NET.format("One", "") + NET.format("Two", "")}
    ),
    "a constructor that needs arguments": Case(
        "m.py", ["width"], {"m.py": HEAD + NET.format("Model", ", width")}
    ),
    "a config value of a wrong type": Case("d/", ["d/config.json", "width", "'big'"], MODEL_AND_CONFIG),
    "a negative size": Case("d/", ["d/config.json", "width is -4"], NEGATIVE),
    "an hf: value of a wrong type": Case(
        "hf:hub", ["n_embd", "'big'"], {"hub/config.json": json.dumps({**GPT2, "n_embd": "big"})}
    ),
    "an hf: negative size": Case(
        "hf:hub", ["n_layer is -2"], {"hub/config.json": json.dumps({**GPT2, "n_layer": -2})}
    ),
    "an empty module": Case("m.py:it", ["empty module"], {"m.py": HEAD + "it = nn.Identity()\n"}),
    "a 0-parameter module": Case(
        "m.py:it", ["no parameters"], {"m.py": HEAD + "it = nn.Sequential(nn.ReLU())\n"}
    ),
    "a checkpoint that does not fit": Case(
        "hf:hub --weights",
        ["does not fit", "wte.weight"],
        {"hub/config.json": json.dumps(GPT2)},
        checkpoint_that_does_not_fit,
    ),
    "a pickle that would run code": Case(
        "hf:hub --weights",
        ["cannot load", "would run code"],
        {
            "hub/config.json": json.dumps(GPT2),
            "hub/pytorch_model.bin": pickle.dumps({"a": Harmful()}, protocol=2),
        },
    ),
    "inputs that are absent": Case("model.py --inputs i.py:x", ["i.py"]),
    "a hub that is out of reach": Case("hf:owner/x --hub-url http://127.0.0.1:9", ["cannot fetch"]),
    "a gist that is not pinned": Case("gist:abc --gist-url http://127.0.0.1:9", ["cannot fetch"]),
}
FOUND_BY_THE_CHECK = {
    "a forward that raises": Case(
        "m.py",
        [
            "raised on every input tried",
            "int64[2, 16]",
            "RuntimeError: no luck",
            "executed",
            "embed",
            "--inputs",
        ],
        {
            "m.py": HEAD
            + NET.format("Model", "")
            + "        self.embed = nn.Embedding(9, 4)\n"
            + "    def forward(self, idx):\n        self.embed(idx)\n        raise RuntimeError('no luck')\n"
        },
    ),
    "an unknown check": Case("m.py --only T1-NONE", ["T1-NONE", "T1-SHAPE"]),
    "an unknown check to skip": Case("m.py --skip X", ["'X'", "T1-SHAPE"]),
    "a device that is absent": Case("m.py --device cuda:99", ["CUDA"]),
}


def check_case(tmp_path: Path, case: Case, most_lines: int = 7, **options) -> None:
    folder = tmp_path / "work"
    folder.mkdir()
    write_model(folder, name="model.py")
    write_model(folder, name="m.py")
    for name, content in case.files.items():
        path = folder / name
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
    case.prepare(folder)
    before = listing(folder)
    process = run(folder, "check", *case.options.split(), **options)
    assert process.returncode == 2
    assert process.stdout == ""
    assert "Traceback" not in process.stderr
    assert "internal error" not in process.stderr
    assert len(re.findall(r"^error:", process.stderr, re.MULTILINE | re.IGNORECASE)) == 1
    *shown, last = process.stderr.splitlines()
    shown += [] if last.startswith("  More: https://") else [last]
    assert len(shown) <= most_lines, process.stderr
    assert not any("More: " in line for line in shown)
    for word in case.words:
        assert word in process.stderr
    assert listing(folder) == before
    assert listing(tmp_path / "work-home") == {}


@pytest.mark.parametrize("name", FOUND_AT_ONCE)
def test_found_at_once(tmp_path, name):
    check_case(tmp_path, FOUND_AT_ONCE[name], env={"HIDDEN_PACKAGE": ""})


@pytest.mark.parametrize("name", sample(list(FOUND_WITH_TORCH), 6))
def test_found_with_torch(tmp_path, name):
    check_case(tmp_path, FOUND_WITH_TORCH[name])


@pytest.mark.parametrize("name", sample(list(FOUND_BY_THE_CHECK), 3))
def test_found_by_the_check(tmp_path, name):
    check_case(tmp_path, FOUND_BY_THE_CHECK[name], most_lines=25, fake=False)

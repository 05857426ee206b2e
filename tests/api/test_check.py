"""`tierproof.check` as a whole: healthy models pass, options are honoured, errors are clear."""

from __future__ import annotations

import json

import pytest
import torch

import tierproof
from sampled import prefer
from tierproof.core.verdict import Verdict
from tierproof.errors import UsageError
from tierproof.model.call.forward_error import ForwardError
from tierproof.model.load.target import TargetError
from tierproof.model.sizes.device_error import DeviceError
from zoo.checked import check_healthy
from zoo.handwritten import HANDWRITTEN, build
from zoo.pretrained_configs import TINY

ACCEPTANCE = ["gpt2", "bert", "llama", "t5", "vit", "mamba", "mixtral", "whisper", "clip"]

# torch's encoder layer really turns a fully masked row into NaN (pytorch#41508).
DUE_WARNINGS = {"dataclass_encoder": {"T1-STAB-010"}}


def explain(report):
    return [(f.code, f.where, f.message) for f in report.findings if f.severity != "info"] + [
        (r.code, r.reason) for r in report.results if r.outcome == "errored"
    ]


@pytest.mark.parametrize("name", HANDWRITTEN)
def test_healthy_handwritten_models_pass_without_a_word(name):
    report = check_healthy(name)
    assert report.verdict is Verdict.PASS, explain(report)
    assert {code for code, *_ in explain(report)} <= DUE_WARNINGS.get(name, set())
    assert report.model.kind == HANDWRITTEN[name][1]


@pytest.mark.parametrize("name", prefer(ACCEPTANCE, ["llama", "vit"]))
def test_healthy_transformers_models_pass(name):
    report = check_healthy(name)
    assert report.verdict is Verdict.PASS, explain(report)
    assert report.model.kind == TINY[name][1]


@pytest.mark.slow
@pytest.mark.parametrize("name", TINY)
def test_the_whole_zoo_passes(name):
    builder, kind = TINY[name]
    report = tierproof.check(builder(), progress=False)
    assert report.verdict is Verdict.PASS, explain(report)
    assert report.model.kind == kind


def test_the_document_is_the_contracts():
    report = tierproof.check(build("char_gpt"), only=["T1-SHAPE", "T1-MEM"], seed=3, progress=False)
    document = json.loads(json.dumps(report.to_dict(), allow_nan=False))
    assert [r["code"] for r in document["results"]] == ["T1-SHAPE", "T1-MEM"]
    assert document["seed"] == 3
    assert document["model"]["class"] == "CharGPT"
    assert document["model"]["parameters"] == sum(p.numel() for p in build("char_gpt").parameters())
    assert document["environment"]["device"] == "cpu"


def test_equal_seeds_give_equal_findings():
    def strip(report):
        return [(r.code, r.outcome, r.findings) for r in report.results]

    options = {"skip": ["T1-SPEED", "T1-MEM"], "progress": False, "seed": 5}
    assert strip(tierproof.check(build("mha_decoder"), **options)) == strip(
        tierproof.check(build("mha_decoder"), **options)
    )


def test_a_target_is_loaded_and_may_import_beside_itself_while_it_runs(tmp_path):
    (tmp_path / "beside.py").write_text("SCALE = 2.0\n")
    (tmp_path / "model.py").write_text(
        "from torch import nn\n"
        "class Model(nn.Linear):\n"
        "    def __init__(self):\n        super().__init__(3, 3)\n"
        "    def forward(self, x):\n        import beside\n        return super().forward(x) * beside.SCALE\n"
    )
    report = tierproof.check(str(tmp_path / "model.py"), only=["T1-SHAPE"], progress=False)
    assert report.ok
    assert report.target.endswith("model.py")


def test_progress_goes_to_a_function():
    told = []
    tierproof.check(build("mlp"), only=["T1-INIT"], progress=lambda *step: told.append(step))
    assert told[-1] == (1, 1, "")


@pytest.mark.parametrize(
    ("options", "error"),
    [
        ({"tier": 3}, UsageError),
        ({"only": ["T1-NOPE"]}, UsageError),
        ({"seed": -1}, UsageError),
        ({"seed": "1"}, UsageError),
        ({"budget_s": 0}, UsageError),
        ({"device": "tpu"}, DeviceError),
        ({"device": "mps"}, DeviceError),
    ],
)
def test_bad_options(options, error):
    with pytest.raises(error):
        tierproof.check(build("mlp"), progress=False, **options)


@pytest.mark.skipif(torch.cuda.is_available(), reason="a CUDA device is at hand")
def test_an_absent_device():
    with pytest.raises(DeviceError, match="no CUDA device"):
        tierproof.check(build("mlp"), device="cuda", progress=False)


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device is at hand")
@pytest.mark.parametrize("name", ["char_gpt", "tiny_vit"])
def test_cuda_agrees_with_the_cpu_and_the_model_comes_back(name):
    model = build(name)
    on_cpu = tierproof.check(model, progress=False)
    on_cuda = tierproof.check(model, device="cuda", progress=False)
    assert on_cpu.verdict is on_cuda.verdict
    assert next(model.parameters()).device.type == "cpu"


def test_what_is_no_model():
    with pytest.raises(TargetError):
        tierproof.check(torch.nn.Identity(), progress=False)
    with pytest.raises(TargetError):
        tierproof.check(object(), progress=False)


def test_a_forward_that_always_raises():
    class Broken(torch.nn.Linear):
        def forward(self, x):
            raise ValueError("never")

    with pytest.raises(ForwardError, match="ValueError: never"):
        tierproof.check(Broken(2, 2), progress=False)

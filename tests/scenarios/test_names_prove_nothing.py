"""A healthy model gets no error under whatever names its author chose, also under misleading ones."""

from __future__ import annotations

import inspect

import pytest
import torch
from torch import nn

from faultbench.mutant import load_builder, read_host
from faultbench.mutants import load_mutants
from faultbench.rename import rename_source
from sampled import prefer
from tierproof import check
from tierproof.core.finding import Severity
from zoo.handwritten import HANDWRITTEN, build
from zoo.healthy import list_zoo
from zoo.rename import build_renamed
from zoo.rename_module import rename_module

# Of other libraries: tokens alone; an image of frames; logits and a loss.
LIBRARY = ("hf-gpt2", "hf-audio-spectrogram-transformer", "nn-encoder")
HOSTS = sorted({mutant.host for mutant in load_mutants()})
FEW = ("char_gpt", "length_first", "time_series")


def refuse_errors(model: nn.Module) -> None:
    report = check(model, progress=False)
    errors = [f"{f.code} {f.where}: {f.message}" for f in report.findings if f.severity is Severity.ERROR]
    assert not errors
    assert not [f"{r.code}: {r.reason}" for r in report.results if r.outcome.value == "errored"]


def test_a_renamed_model_computes_the_same():
    torch.manual_seed(0)
    ids = torch.randint(0, 65, (2, 7))
    renamed = build_renamed("char_gpt", seed=0, mislead=True)
    assert type(renamed).__name__ != "CharGPT"
    assert torch.equal(renamed.eval()(ids), build("char_gpt").eval()(ids))


@pytest.mark.parametrize("name", FEW)
def test_misleading_names_make_no_error(name):
    refuse_errors(build_renamed(name, seed=0, mislead=True))


@pytest.mark.parametrize("name", LIBRARY)
def test_misleading_names_in_a_library_make_no_error(name):
    refuse_errors(rename_module(build_library_model(name), seed=0, mislead=True))


def test_a_renamed_library_model_computes_the_same():
    ids = torch.randint(0, 99, (2, 7), generator=torch.Generator().manual_seed(0))
    expected = build_library_model("hf-gpt2").eval()(ids).logits
    renamed = rename_module(build_library_model("hf-gpt2"), seed=0, mislead=False).eval()
    argument = next(iter(inspect.signature(renamed.forward).parameters))
    assert argument != "input_ids"
    assert not {"wte", "wpe", "h"} & {name for path, _ in renamed.named_modules() for name in path.split(".")}
    assert torch.equal(renamed(**{argument: ids}).logits, expected)


def build_library_model(name: str) -> nn.Module:
    return next(model for model in list_zoo() if model.name == name).build(0)


@pytest.mark.slow
@pytest.mark.parametrize("mislead", [False, True])
@pytest.mark.parametrize("seed", range(2))
@pytest.mark.parametrize("name", sorted(HANDWRITTEN))
def test_no_name_makes_an_error(name, seed, mislead):
    refuse_errors(build_renamed(name, seed=seed, mislead=mislead))


@pytest.mark.parametrize("host", prefer(HOSTS, ["seq2seq"]))
def test_no_host_errs_under_misleading_names(host):
    source = rename_source(read_host(host), seed=0, mislead=True).source
    torch.manual_seed(0)
    report = check(load_builder(source, f"misleading_{host}")(), progress=False)
    assert not [f"{f.code} {f.where}: {f.message}" for f in report.findings if f.severity is Severity.ERROR]

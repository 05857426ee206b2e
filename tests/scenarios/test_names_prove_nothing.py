"""A healthy model gets no error under whatever names its author chose, also under misleading ones."""

from __future__ import annotations

import pytest
import torch

from faultbench.mutant import load_builder, read_host
from faultbench.mutants import load_mutants
from faultbench.rename import rename_source
from sampled import prefer
from tierproof import check
from tierproof.core.finding import Severity
from zoo.handwritten import HANDWRITTEN, build
from zoo.rename import build_renamed

HOSTS = sorted({mutant.host for mutant in load_mutants()})
FEW = ("char_gpt", "length_first", "time_series")


def refuse_new_errors(name: str, *, seed: int, mislead: bool) -> None:
    report = check(build_renamed(name, seed=seed, mislead=mislead), progress=False)
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
    refuse_new_errors(name, seed=0, mislead=True)


@pytest.mark.slow
@pytest.mark.parametrize("mislead", [False, True])
@pytest.mark.parametrize("seed", range(2))
@pytest.mark.parametrize("name", sorted(HANDWRITTEN))
def test_no_name_makes_an_error(name, seed, mislead):
    refuse_new_errors(name, seed=seed, mislead=mislead)


@pytest.mark.parametrize("host", prefer(HOSTS, ["seq2seq"]))
def test_no_host_errs_under_misleading_names(host):
    source = rename_source(read_host(host), seed=0, mislead=True).source
    torch.manual_seed(0)
    report = check(load_builder(source, f"misleading_{host}")(), progress=False)
    assert not [f"{f.code} {f.where}: {f.message}" for f in report.findings if f.severity is Severity.ERROR]

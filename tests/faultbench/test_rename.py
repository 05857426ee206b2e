"""A host under other names computes the same, and every mutant can be renamed."""

from __future__ import annotations

import pytest
import torch

from faultbench.inputs import make_inputs, read_outputs
from faultbench.mutant import build_host, load_builder, read_host
from faultbench.mutants import load_mutants
from faultbench.rename import rename_source
from sampled import sample

HOSTS = sorted({mutant.host for mutant in load_mutants()})


@pytest.mark.parametrize("mislead", [False, True])
@pytest.mark.parametrize("host", HOSTS)
def test_a_renamed_host_computes_the_same(host, mislead):
    torch.manual_seed(0)
    plain = build_host(host).eval()
    renamed = rename_source(read_host(host), seed=1, mislead=mislead)
    torch.manual_seed(0)
    other = load_builder(renamed.source, f"renamed_{host}_{mislead}")().eval()
    assert type(other).__name__ == renamed.classes[type(plain).__name__]
    assert not {name for name, _ in plain.named_modules() if name} & {
        n for n, _ in other.named_modules() if n
    }
    inputs = list(make_inputs(host, 2, 9).values())[:1] if host != "seq2seq" else None
    if inputs is None:
        given = make_inputs(host, 2, 9)
        inputs = [given["input_ids"], given["decoder_input_ids"]]
    pairs = zip(read_outputs(plain(*inputs)), read_outputs(other(*inputs)), strict=True)
    assert all(torch.equal(first, second) for first, second in pairs)


@pytest.mark.parametrize("mutant", sample(load_mutants(), 10), ids=lambda mutant: mutant.name)
def test_every_mutant_builds_under_other_names(mutant):
    for mislead in (False, True):
        source = rename_source(mutant.read_source(), seed=0, mislead=mislead).source
        load_builder(source, f"renamed_{mutant.name}")()

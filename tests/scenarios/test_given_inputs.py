"""Random legal inputs that a person gives lead to the verdict without them."""

from __future__ import annotations

import pytest
import torch

from tierproof import check
from tierproof.core.finding import Severity
from tierproof.model.describe.prepare_subject import prepare_subject
from zoo.handwritten import HANDWRITTEN, build

FEW = ("char_gpt", "seq2seq", "tiny_vit")


def draw_inputs(name: str, seed: int) -> dict[str, torch.Tensor]:
    """Tensors of three rows, at the length that the checks choose or at a shorter one."""
    subject = prepare_subject(build(name))
    length = subject.inputs.clip_length(subject.inputs.default_length - seed % 3)
    batch = 3 if subject.inputs.has_batch else None
    return dict(subject.make_call(batch=batch, length=length, target_length=length, seed=seed).tensors)


def refuse_new_errors(name: str, seed: int) -> None:
    report = check(build(name), inputs=draw_inputs(name, seed), progress=False)
    assert not [f"{f.code} {f.where}: {f.message}" for f in report.findings if f.severity is Severity.ERROR]
    assert not [f"{r.code}: {r.reason}" for r in report.results if r.outcome.value == "errored"]


@pytest.mark.parametrize("name", FEW)
def test_given_inputs_make_no_error(name):
    refuse_new_errors(name, seed=4)


@pytest.mark.slow
@pytest.mark.parametrize("seed", [5, 6])
@pytest.mark.parametrize("name", sorted(HANDWRITTEN))
def test_no_given_inputs_make_an_error(name, seed):
    refuse_new_errors(name, seed)

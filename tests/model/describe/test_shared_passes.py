"""Equal questions are answered once, others are not, and nothing outlives a change that is to last."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch

from tierproof.model.compare.steady_answer import find_baseline
from tierproof.model.describe.prepare_subject import prepare_subject
from tierproof.model.describe.shared_passes import SharedPasses
from tierproof.model.gradients.gradient_pass import run_gradient_pass
from zoo.handwritten import build


def test_an_answer_is_kept_and_a_failure_is_not():
    passes = SharedPasses()
    with pytest.raises(ValueError, match="once"):
        passes.share("q", lambda: (_ for _ in ()).throw(ValueError("once")))
    assert passes.share("q", lambda: 1) == 1
    assert passes.share("q", lambda: 2) == 1
    assert passes.reused == 1
    passes.forget()
    assert passes.share("q", lambda: 3) == 3


def test_baselines_are_shared_by_size_and_leave_the_model_in_evaluation_mode():
    subject = prepare_subject(build("char_gpt"))
    first = find_baseline(subject, 0, batch=1)
    subject.model.train()
    assert find_baseline(subject, 0, batch=1) is first
    assert not subject.model.training
    assert find_baseline(subject, 0, batch=2) is not first
    assert find_baseline(subject, 1, batch=1) is not first
    other = replace(subject, target="another")
    assert find_baseline(other, 0, batch=1) is not first


def test_gradient_passes_are_shared_by_call_and_modes():
    subject = prepare_subject(build("char_gpt"))
    subject.model.eval()
    call = subject.make_call(seed=0)
    first = run_gradient_pass(subject, call, 0)
    assert run_gradient_pass(subject, subject.make_call(seed=0), 0) is first
    assert run_gradient_pass(subject, subject.make_call(seed=1), 0) is not first
    subject.model.train()
    assert run_gradient_pass(subject, call, 0) is not first
    changed = call.with_argument("idx", torch.zeros_like(call.tensors["idx"]))
    assert run_gradient_pass(subject, changed, 0) is not first

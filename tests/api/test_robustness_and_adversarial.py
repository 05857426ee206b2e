"""`tp.robustness` and `tp.adversarial`: views that show, draw and save themselves, and leave the model as it came."""

from __future__ import annotations

import json

import pytest
import torch
from torch import nn

import tierproof as tp
from tierproof.errors import TierproofError, UsageError
from zoo.handwritten import CharGPT


@pytest.mark.parametrize("analyse", [tp.robustness, tp.adversarial])
def test_a_view_shows_draws_and_saves_itself(analyse, tmp_path):
    torch.manual_seed(0)
    model = CharGPT().train()
    before = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    state = torch.get_rng_state()
    view = analyse(model, torch.randint(0, 60, (3, 8), generator=torch.Generator().manual_seed(1)))
    assert all(torch.equal(before[name], tensor) for name, tensor in model.state_dict().items())
    assert model.training
    assert all(parameter.grad is None and parameter.requires_grad for parameter in model.parameters())
    assert torch.equal(torch.get_rng_state(), state)
    document = json.loads(view.save(tmp_path / "view.json").read_text())
    assert document["format_version"] == 1
    assert document["answer"] == "next token"
    page = view.save(tmp_path / "view.html").read_text()
    for text in (page, view._repr_html_()):
        assert "http" not in text
        assert "<script" not in text
        assert "<svg" in text
    assert view.save(tmp_path / "view.svg").read_text().startswith("<svg")
    assert view.figure().get_label()
    assert "CharGPT" in str(view)


def test_a_budget_keeps_what_was_measured():
    view = tp.robustness(CharGPT(), [[n % 60, 1, 2, 3, 4] for n in range(2000)], budget_s=2.0)
    assert not view.measured.complete
    assert view.perturbations
    assert "The time ended" in str(view)
    with pytest.raises(UsageError, match="budget"):
        tp.adversarial(CharGPT(), budget_s=0)


def test_bad_options_are_refused():
    with pytest.raises(UsageError, match="no perturbation 'swop'"):
        tp.robustness(CharGPT(), strengths={"swop": (0.1,)})
    with pytest.raises(UsageError, match="most_changed"):
        tp.adversarial(CharGPT(), most_changed=0)
    with pytest.raises(TierproofError, match="vector"):
        tp.adversarial(nn.Sequential(nn.Embedding(20, 8)))
    with pytest.raises(UsageError, match="labels were given without examples"):
        tp.robustness(CharGPT(), labels=[1])

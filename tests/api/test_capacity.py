from __future__ import annotations

import json

import pytest
import torch
from torch import nn

import tierproof as tp
from tierproof.errors import UsageError
from zoo.handwritten import CharGPT


@pytest.fixture(scope="module")
def view():
    torch.manual_seed(0)
    return tp.capacity(CharGPT(), reference=CharGPT())


def test_the_model_is_left_as_it_came():
    model = CharGPT().train()
    before = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    state = torch.get_rng_state()
    attributes = {path: sorted(vars(module)) for path, module in model.named_modules()}
    tp.capacity(model)
    assert model.training
    assert torch.equal(state, torch.get_rng_state())
    assert all(torch.equal(before[name], tensor) for name, tensor in model.state_dict().items())
    assert attributes == {path: sorted(vars(module)) for path, module in model.named_modules()}


def test_equal_seeds_give_equal_figures(view):
    torch.manual_seed(0)
    assert tp.capacity(CharGPT(), reference=CharGPT()).to_dict() == view.to_dict()


def test_twin_and_reference_have_the_same_layers(view):
    for other in (view.twin, view.reference):
        assert [each.name for each in other.weights] == [each.name for each in view.own.weights]
        assert other.weights != view.own.weights
    assert "reference CharGPT" in str(view)


def test_the_document_is_plain_json(view, tmp_path):
    document = json.loads(view.save(tmp_path / "capacity.json").read_text())
    assert document["format_version"] == 1
    assert document["own"]["weights"][0].keys() >= {"effective_rank", "stable_rank", "top_share"}
    assert len(document["own"]["stacks"][0]["alignment"]) == 4


def test_the_page_needs_no_network_and_no_script(view, tmp_path):
    page = view.save(tmp_path / "capacity.html").read_text()
    assert "http" not in page
    assert "<script" not in page
    assert page.count("<svg") == 1
    for title in ("Residual stream of blocks", "Weights", "Units", "Embeddings"):
        assert f"<h3>{title}</h3>" in page


def test_a_figure_has_a_panel_for_each_measurement(view, tmp_path):
    assert len(view.figure().axes) == 4
    assert view.save(tmp_path / "capacity.svg").read_text().startswith("<svg")


def test_a_report_has_the_figure(tmp_path):
    report = tp.check(CharGPT(), only=["T2-CAPACITY"], progress=False)
    page = report.save(tmp_path / "report.html").read_text()
    assert "CKA between layers" in page


def test_without_a_twin_it_says_why():
    view = tp.capacity(nn.Sequential(nn.Linear(8, 8), nn.ReLU()), twin=False)
    assert view.twin is None
    assert "no twin was asked for" in str(view)
    assert [unit.units for unit in view.own.units] == [8]
    assert [each.full_rank for each in view.own.weights] == [8]
    with pytest.raises(UsageError, match="nothing to draw by depth"):
        view.figure()


def test_nan_weights_are_named_and_the_rest_is_measured():
    model = CharGPT()
    with torch.no_grad():
        model.blocks[1].mlp[0].weight[0, 0] = float("nan")
    view = tp.capacity(model, twin=False)
    assert "`blocks.1.mlp.0.weight`: it holds NaN or infinity" in view.own.unread
    assert "`blocks.1`: its output is NaN or infinite" in view.own.unread
    assert [state.path for state in view.own.stacks[0].states] == ["", "blocks.0"]
    json.dumps(view.to_dict(), allow_nan=False)


def test_one_token():
    view = tp.capacity(CharGPT(), examples=[[3]], twin=False)
    (stack,) = view.own.stacks
    assert stack.positions == 1
    assert stack.alignment == ()
    assert all(state.spread == 0 for state in stack.states)


def test_texts_without_a_tokenizer_are_refused():
    with pytest.raises(UsageError, match="no tokenizer"):
        tp.capacity(CharGPT(), examples="hello")

from __future__ import annotations

import io
import json
import math
import sys

import pytest
import torch
from torch import nn

import tierproof as tp
from analysis.attribution.planted import TELLING, BareTable, Detached, LinearFloats, OneHotModel, TellingToken
from tierproof.analysis.attribution.attribution_figures import ABLATION, GRADIENT, INTEGRATED, METHODS
from tierproof.analysis.attribution.input_picture import draw_picture
from tierproof.analysis.attribution.input_units import cut_floats
from tierproof.errors import BrokenPackageError, MissingPackageError, UsageError
from tierproof.model.call.input_plan import Argument
from zoo.handwritten import CharGPT, build

NO_PACKAGE = (GRADIENT, ABLATION)


def attribute(model, examples=None, target=None, **options):
    return tp.attribute(model, examples, target, progress=False, **options)


@pytest.fixture
def no_captum(monkeypatch):
    monkeypatch.setitem(sys.modules, "captum", None)


@pytest.fixture
def captum():
    return pytest.importorskip("captum.attr", reason="captum is optional")


def test_a_linear_model_has_its_closed_form():
    torch.manual_seed(0)
    model, x = LinearFloats(), torch.randn(1, 6)
    view = attribute(model, x, lambda answer: answer[:, 2], methods=NO_PACKAGE)
    (example,) = view.examples
    expected = (model.out.weight[2] * x[0]).tolist()
    for method in NO_PACKAGE:
        assert example.parts[0].scores[method] == pytest.approx(expected, abs=1e-5)
    assert example.agreement[f"{GRADIENT}~{ABLATION}"] == pytest.approx(1.0)


def test_integrated_gradients_have_the_closed_form_too(captum):
    torch.manual_seed(0)
    model, x = LinearFloats(), torch.randn(1, 6)
    (example,) = attribute(model, x, lambda answer: answer[:, 2], methods=(INTEGRATED,)).examples
    assert example.parts[0].scores[INTEGRATED] == pytest.approx(
        (model.out.weight[2] * x[0]).tolist(), abs=1e-5
    )
    assert example.path.converged
    assert example.path.relative_delta < 1e-4
    assert example.path.reverse_error < 1e-4


def test_they_are_captums_own_on_the_embedding_layer(captum):
    torch.manual_seed(1)
    model = CharGPT().eval()
    tokens = torch.randint(0, 65, (1, 9))
    (example,) = attribute(model, tokens, (8, 5), baseline="zero", methods=(INTEGRATED,)).examples

    def forward(ids):
        return model(ids)[:, 8, 5]

    layer = captum.LayerIntegratedGradients(forward, model.token)

    # captum's layer baselines are ids; id 0 is made zero, which no token here is.
    tokens = tokens.clamp(min=1)
    with torch.no_grad():
        model.token.weight[0] = 0.0
    (example,) = attribute(model, tokens, (8, 5), baseline=0, methods=(INTEGRATED,)).examples
    own = layer.attribute(tokens, baselines=torch.zeros_like(tokens), n_steps=example.path.steps)
    assert example.parts[0].scores[INTEGRATED] == pytest.approx(own.sum(-1)[0].tolist(), abs=1e-5)


@pytest.mark.parametrize(
    "name",
    [
        "char_gpt",
        *(
            pytest.param(each, marks=pytest.mark.slow)
            for each in ("seq2seq", "tiny_vit", "time_series", "lstm_lm")
        ),
    ],
)
def test_the_scores_add_up(captum, name):
    for example in attribute(build(name), methods=(INTEGRATED,)).examples:
        total = math.fsum(score for part in example.parts for score in part.scores[INTEGRATED])
        assert total - (example.score - example.baseline_score) == pytest.approx(example.path.delta, abs=1e-5)
        if example.path.converged:
            assert (
                abs(example.path.delta)
                <= 0.011
                * max(
                    abs(example.score - example.baseline_score),
                    sum(map(abs, example.iterate_scores(INTEGRATED))) / 10,
                )
                + 1e-4
            )


def test_ablation_is_a_loop_over_the_tokens():
    torch.manual_seed(2)
    model = CharGPT().eval()
    tokens = torch.randint(0, 65, (1, 6))
    (example,) = attribute(model, tokens, (5, 3), baseline="zero", methods=(ABLATION,)).examples

    def score(left_out):
        def hide(_module, _arguments, found):
            found = found.clone()
            if left_out is not None:
                found[:, left_out] = 0.0
            return found

        handle = model.token.register_forward_hook(hide)
        with torch.no_grad():
            found = float(model(tokens)[0, 5, 3])
        handle.remove()
        return found

    by_hand = [score(None) - score(place) for place in range(6)]
    assert example.parts[0].scores[ABLATION] == pytest.approx(by_hand, abs=1e-5)


def test_a_patch_is_left_out_by_the_mean_colour():
    model = build("tiny_vit").eval()
    image = torch.randn(1, 3, 32, 32, generator=torch.Generator().manual_seed(5))
    (example,) = attribute(model, image, 0, methods=(ABLATION,)).examples
    hidden = image.clone()
    hidden[:, :, 8:16, 16:24] = image.mean((2, 3), keepdim=True)
    with torch.no_grad():
        expected = float(model(image)[0, 0] - model(hidden)[0, 0])
    assert example.parts[0].grid == (1, 4, 4)
    assert example.parts[0].scores[ABLATION][6] == pytest.approx(expected, abs=1e-5)
    assert example.parts[0].pieces[6] == "row 1, column 2"


def read_picture(png):
    from matplotlib.image import imread

    return torch.tensor(imread(io.BytesIO(png)))


def test_the_picture_lies_under_its_scores(tmp_path):
    model = build("tiny_vit").eval()
    image = torch.zeros(1, 3, 32, 32)
    image[0, 0, 8:16, 16:24], image[0, 1], image[0, 2, 0, 0] = 2.0, 1.0, -2.0
    view = attribute(model, image, 0, methods=(ABLATION,))
    shown = read_picture(view.examples[0].parts[0].picture)
    expected = (image[0].permute(1, 2, 0) + 2) / 4
    torch.testing.assert_close(shown[..., :3], expected, atol=1 / 255, rtol=0)
    page = view.save(tmp_path / "scores.html").read_text()
    assert page.count("<image ") == page.count("<img ") == 1
    assert "http" not in page
    assert "picture" not in view.to_dict()["examples"][0]["parts"][0]


def test_a_picture_of_frames_lies_where_its_cells_are():
    video = torch.zeros(1, 2, 1, 20, 12)  # frames, channels, height, width
    video[0, 1, 0, 10:, :] = 1.0
    units = cut_floats(
        Argument("clip", "floats", ("batch", 2, 1, 20, 12), torch.float32), video, torch.nn.Identity(), 256
    )
    frames, rows, columns = units.grid
    shown = read_picture(draw_picture(video, units, 0))
    assert shown.shape == (rows * units.cell, (frames * (columns + 1) - 1) * units.cell)
    assert not shown[:20, :12].any()
    second = (columns + 1) * units.cell
    assert not shown[:10, second : second + 12].any()
    assert (shown[10:20, second : second + 12] == 1).all()
    assert draw_picture(torch.full_like(video, float("nan")), units, 0) is not None


@pytest.mark.parametrize("methods", [NO_PACKAGE, METHODS])
def test_the_token_that_decides_comes_first(methods):
    if INTEGRATED in methods:
        pytest.importorskip("captum")
    torch.manual_seed(0)
    tokens = torch.tensor([[2, 11, 5, TELLING, 9, 3]])
    (example,) = attribute(TellingToken(), tokens, methods=methods).examples
    assert example.target == "predicted class 1"
    for method in methods:
        scores = example.parts[0].scores[method]
        assert max(range(6), key=lambda place: scores[place]) == 3
        assert scores[3] > 0


@pytest.mark.parametrize("model", [OneHotModel, BareTable])
def test_tokens_need_no_embedding_module(captum, model):
    torch.manual_seed(0)
    for example in attribute(model()).examples:
        assert set(example.methods) == set(METHODS)
        assert example.path.converged


def test_encoder_and_decoder_tokens_both_get_scores():
    (first, *_) = attribute(build("seq2seq"), methods=NO_PACKAGE).examples
    assert [part.name for part in first.parts] == ["src", "tgt"]
    assert all(any(part.scores[ABLATION]) for part in first.parts)


def test_the_model_is_left_as_it_came():
    model = CharGPT().train()
    model.head.weight.requires_grad_(False)
    before = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    attribute(model, methods=NO_PACKAGE)
    assert all(torch.equal(before[name], tensor) for name, tensor in model.state_dict().items())
    assert model.training
    assert [p.requires_grad for p in model.parameters()].count(False) == 1
    assert all(parameter.grad is None for parameter in model.parameters())


def test_a_batch_counts_by_its_rows():
    tokens = torch.randint(0, 20, (3, 7))
    together = attribute(CharGPT().eval(), tokens, methods=NO_PACKAGE)
    assert [example.number for example in together.examples] == [0, 1, 2]


def test_without_captum_the_others_run_and_it_is_named(no_captum):
    view = attribute(CharGPT(), torch.randint(0, 20, (1, 5)))
    assert set(view.examples[0].methods) == set(NO_PACKAGE)
    assert "captum" in view.left_out[INTEGRATED]
    assert "pip install" in view.left_out[INTEGRATED]
    with pytest.raises(MissingPackageError):
        attribute(CharGPT(), methods=(INTEGRATED,))


def test_a_broken_captum_is_told_apart(tmp_path, monkeypatch):
    (tmp_path / "captum.py").write_text("raise RuntimeError('torn')")
    for name in [name for name in sys.modules if name.partition(".")[0] == "captum"]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.syspath_prepend(tmp_path)
    view = attribute(CharGPT(), torch.randint(0, 20, (1, 5)))
    assert "its import fails: RuntimeError: torn" in view.left_out[INTEGRATED]
    with pytest.raises(BrokenPackageError):
        attribute(CharGPT(), methods=INTEGRATED)


def test_install_auto_adds_captum_through_the_guard(no_captum, monkeypatch):
    import importlib

    from tierproof.api.analysis import attribute as module

    home = sys.modules.get("tierproof.api.analysis.attribute") or module
    asked = []
    monkeypatch.setattr(home, "is_installed", lambda _: False)
    monkeypatch.setattr(
        importlib.import_module("tierproof.api.packages.install"),
        "install",
        lambda *names: asked.extend(names),
    )
    attribute(CharGPT(), torch.randint(0, 20, (1, 4)), install="auto")
    assert [name.partition(">")[0] for name in asked] == ["captum"]
    with pytest.raises(UsageError, match="not known"):
        attribute(CharGPT(), install="maybe")


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"target": 99}, "65 classes"),
        ({"target": (40, 1)}, "positions"),
        ({"target": "cat"}, "cannot be used"),
        ({"baseline": "blue"}, "cannot be used"),
        ({"baseline": 70}, "ids from 0 to 64"),
        ({"baseline": "padding"}, "no padding token"),
        ({"methods": ("lime",)}, "unknown method"),
        ({"methods": ()}, "no method"),
        ({"budget_s": 0}, "positive"),
    ],
)
def test_what_cannot_be_used_is_refused(options, said):
    target = options.pop("target", None)
    with pytest.raises(UsageError, match=said):
        attribute(CharGPT(), torch.randint(0, 20, (1, 5)), target, **{"methods": NO_PACKAGE, **options})


def test_a_class_of_an_answer_without_classes_is_refused():
    with pytest.raises(UsageError, match="no axis of classes"):
        attribute(build("time_series"), None, 3, methods=NO_PACKAGE)


def test_one_token_nan_weights_and_padding():
    (example,) = attribute(CharGPT(), torch.tensor([[3]]), methods=NO_PACKAGE).examples
    assert set(example.agreement.values()) == {None}
    broken = CharGPT()
    nn.init.constant_(broken.norm.weight, math.nan)
    view = attribute(broken, torch.tensor([[3, 4]]), methods=NO_PACKAGE)
    assert view.examples == ()
    assert "NaN" in view.measured.skipped[0]


def test_gradients_of_zero_are_shown_as_such():
    torch.manual_seed(0)
    (example, *_) = attribute(Detached(), methods=NO_PACKAGE).examples
    assert not any(example.parts[0].scores[GRADIENT])
    assert any(example.parts[0].scores[ABLATION])


def test_the_end_of_the_budget_and_ctrl_c_keep_what_is_finished():
    model, calls = CharGPT(), []

    def stop(done, total, words):
        calls.append(words)
        if words.startswith("example 3"):
            raise KeyboardInterrupt

    tokens = torch.randint(0, 20, (4, 5))
    view = tp.attribute(model, tokens, methods=NO_PACKAGE, progress=stop)
    assert len(view.examples) == 3  # the third by its gradient alone
    assert "interrupted" in view.measured.stopped
    with pytest.raises(KeyboardInterrupt):
        tp.attribute(model, tokens, methods=(ABLATION,), progress=lambda *_: _interrupt())


def _interrupt():
    raise KeyboardInterrupt


def test_more_tokens_than_pieces_share_a_score():
    (example,) = attribute(
        CharGPT(), torch.randint(0, 20, (1, 30)), methods=NO_PACKAGE, most_pieces=10
    ).examples
    assert example.parts[0].pieces[1].startswith("3: ")
    assert len(example.parts[0].scores[ABLATION]) == 10


def test_what_is_saved_is_plain_and_needs_no_network(tmp_path):
    view = attribute(CharGPT(), torch.randint(0, 20, (2, 5)), methods=NO_PACKAGE)
    document = json.loads(view.save(tmp_path / "a.json").read_text())
    assert document["format_version"] == 1
    assert document["examples"][0]["parts"][0]["scores"].keys() == set(NO_PACKAGE)
    page = view.save(tmp_path / "a.html").read_text()
    assert "http" not in page
    assert "<script" not in page
    assert view._repr_html_() in page
    assert "<svg" in view.save(tmp_path / "a.svg").read_text()
    image = attribute(build("tiny_vit"), methods=NO_PACKAGE)
    assert image._repr_html_().count("<rect") == 16 * 2 * len(image.examples)
    image.figure()


def test_an_image_of_one_colour_is_compared_with_black():
    (example,) = attribute(build("tiny_vit"), torch.ones(1, 3, 32, 32), methods=(GRADIENT,)).examples
    assert example.baseline == "zeros"

"""Inputs and traits are worked out for the whole zoo, and for awkward modules; failures are explained."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from tierproof.model.call.forward_error import ForwardError
from tierproof.model.call.spec import ModelSpec
from tierproof.model.describe.prepare_subject import prepare_subject
from tierproof.model.load.input_error import InputError
from zoo.handwritten import HANDWRITTEN, CharGPT, build
from zoo.pretrained_configs import TINY


@pytest.mark.parametrize("name", HANDWRITTEN)
def test_handwritten_kinds(name):
    assert prepare_subject(build(name)).traits.kind == HANDWRITTEN[name][1]


@pytest.mark.parametrize("name", TINY)
def test_transformers_kinds(name):
    builder, kind = TINY[name]
    assert prepare_subject(builder()).traits.kind == kind


def test_vocabulary_and_length_are_detected():
    subject = prepare_subject(build("char_gpt"))
    assert subject.inputs.primary_argument.high == 65
    assert (subject.inputs.max_length, subject.inputs.max_length_source) == (64, "CharGPT.block_size")
    assert subject.outputs.axes == ("batch", "length", 65)
    assert not subject.inputs.assumptions


def test_targets_are_passed_where_only_they_give_every_position():
    subject = prepare_subject(build("nano_gpt"))
    assert [a.role for a in subject.inputs.arguments] == ["tokens", "targets"]
    assert subject.outputs.loss == "1"


def test_a_padding_mask_is_found_with_its_polarity():
    subject = prepare_subject(build("dataclass_encoder"))
    assert subject.inputs.padding == "key_padding_mask"
    assert subject.inputs.argument("key_padding_mask").role == "hide_mask"


def test_length_first_is_measured():
    assert prepare_subject(build("length_first")).inputs.batch_axis == 1
    overridden = prepare_subject(build("length_first"), spec=ModelSpec(batch_first=True))
    assert overridden.inputs.batch_axis == 0


def test_roberta_offset_is_subtracted():
    assert prepare_subject(TINY["roberta"][0]()).inputs.max_length == 62


def test_the_declared_and_the_measured_causality_stand_side_by_side():
    model = build("char_gpt")
    for block in model.blocks:
        block.attn.mask.fill_(1)
    traits = prepare_subject(model).traits
    assert (traits.causal_declared, traits.causal_measured) == (True, False)
    assert traits.evidence[0].declared
    assert "up to 7 positions later" in traits.evidence[0].measured


class BareTable(nn.Module):
    """Looks tokens up in a parameter by indexing."""

    def __init__(self):
        super().__init__()
        self.table = nn.Parameter(torch.randn(23, 8))

    def forward(self, seq):
        return self.table[seq] @ self.table.t()


class OneHot(nn.Module):
    def __init__(self):
        super().__init__()
        self.linear = nn.Linear(19, 4)

    def forward(self, token_ids):
        return self.linear(nn.functional.one_hot(token_ids, 19).float())


@pytest.mark.parametrize(("model", "rows"), [(BareTable(), 23), (OneHot(), 19)])
def test_tables_without_embedding_modules(model, rows):
    assert prepare_subject(model).inputs.primary_argument.high == rows


class Hashing(nn.Module):
    """Its vocabulary cannot be known."""

    def __init__(self):
        super().__init__()
        self.linear = nn.Linear(1, 4)

    def forward(self, token_ids):
        if token_ids.is_floating_point():
            raise TypeError("ids must be integers")
        return self.linear(token_ids.float().unsqueeze(-1) % 7)


def test_an_unknown_vocabulary_is_said():
    subject = prepare_subject(Hashing())
    assert "unknown vocabulary" in subject.inputs.assumptions[0]
    assert prepare_subject(Hashing(), spec=ModelSpec(vocab_size=9)).inputs.assumptions == ()


class FixedWindow(nn.Module):
    """A forecaster that takes exactly 24 steps."""

    def __init__(self):
        super().__init__()
        self.pos = nn.Parameter(torch.randn(1, 24, 5))
        self.head = nn.Linear(24 * 5, 3)

    def forward(self, x):
        return self.head((x + self.pos).flatten(1))


def test_a_fixed_length_is_found_and_said():
    subject = prepare_subject(FixedWindow())
    assert subject.inputs.primary_argument.shape == ("batch", 24, 5)


class Conv1dClassifier(nn.Module):
    def __init__(self):
        super().__init__()
        self.net = nn.Sequential(nn.Conv1d(3, 8, 3, padding=1), nn.ReLU(), nn.AdaptiveAvgPool1d(1))
        self.head = nn.Linear(8, 2)

    def forward(self, signal):
        return self.head(self.net(signal).flatten(1))


def test_channels_first_sequences():
    subject = prepare_subject(Conv1dClassifier())
    assert subject.inputs.primary_argument.shape == ("batch", 3, "length")
    assert subject.inputs.length_axis == 2


def test_half_precision_and_double():
    for dtype in (torch.bfloat16, torch.float64):
        subject = prepare_subject(build("time_series").to(dtype))
        assert subject.inputs.primary_argument.dtype == dtype


@pytest.mark.parametrize("given", [torch.randint(0, 65, (3, 11)), lambda: torch.randint(0, 65, (3, 11))])
def test_given_inputs(given):
    subject = prepare_subject(CharGPT(), inputs=given)
    assert (subject.inputs.default_batch, subject.inputs.default_length) == (3, 11)
    assert subject.make_call(batch=2, length=5).tensors["idx"].shape == (2, 5)


def test_given_mapping_and_tuple():
    ids = torch.randint(0, 65, (2, 6))
    assert prepare_subject(CharGPT(), inputs={"idx": ids}).inputs.style == "keyword"
    assert prepare_subject(build("dict_input"), inputs={"input_ids": ids}).inputs.style == "mapping"
    pair = (torch.randint(0, 50, (2, 6)), torch.randint(0, 50, (2, 4)))
    subject = prepare_subject(build("seq2seq"), inputs=pair)
    assert subject.make_call(batch=3).tensors["tgt"].shape[0] == 3


@pytest.mark.parametrize("given", [{"nope": torch.zeros(1)}, "text", 3])
def test_given_inputs_that_do_not_fit(given):
    with pytest.raises((InputError, ForwardError)):
        prepare_subject(build("seq2seq"), inputs=given)


class Broken(nn.Module):
    def __init__(self):
        super().__init__()
        self.embed = nn.Embedding(10, 8)
        self.mix = nn.Linear(9, 8)

    def forward(self, x):
        return self.mix(self.embed(x))


def test_a_forward_that_always_raises_is_explained():
    with pytest.raises(ForwardError) as caught:
        prepare_subject(Broken())
    text = str(caught.value)
    assert "x: int64[2, 16]" in text
    assert "embed" in text.split("Layers executed")[1]
    assert "ModelSpec" in text


class ReturnsNothing(nn.Module):
    def __init__(self):
        super().__init__()
        self.linear = nn.Linear(3, 3)

    def forward(self, x):
        return None


def test_a_forward_that_returns_no_tensor():
    with pytest.raises(ForwardError, match="no floating-point tensor"):
        prepare_subject(ReturnsNothing())


def test_modes_are_put_back():
    model = build("char_gpt").train()
    model.blocks[0].eval()
    before = [m.training for m in model.modules()]
    prepare_subject(model)
    assert [m.training for m in model.modules()] == before


def test_the_offset_of_a_table_that_is_no_embedding_is_subtracted_too():
    class QuantTable(nn.Module):  # I-BERT's
        def __init__(self, rows, width, padding_idx):
            super().__init__()
            self.weight, self.padding_idx = nn.Parameter(torch.randn(rows, width)), padding_idx

        def forward(self, ids):
            return torch.nn.functional.embedding(ids, self.weight, self.padding_idx)

    class Model(nn.Module):
        def __init__(self):
            super().__init__()
            self.max_position_embeddings = 20
            self.tokens, self.head = nn.Embedding(9, 8), nn.Linear(8, 9)
            self.position_embeddings = QuantTable(20, 8, padding_idx=1)

        def forward(self, input_ids):
            positions = torch.arange(input_ids.shape[1]) + 2
            return self.head(self.tokens(input_ids) + self.position_embeddings(positions))

    assert prepare_subject(Model()).inputs.max_length == 18


def test_a_triangular_mask_is_not_looked_for_in_sparse_and_nested_buffers():
    model = build("char_gpt")
    model.register_buffer("table", torch.eye(4).to_sparse())
    assert prepare_subject(model).inputs.max_length == 64


def test_an_error_of_ours_is_not_called_one_of_the_model(monkeypatch):
    from tierproof.model.describe import prepare_subject as module

    def fail(*_):
        raise ZeroDivisionError

    monkeypatch.setattr(module, "read_outputs", fail)
    with pytest.raises(ZeroDivisionError):
        prepare_subject(build("char_gpt"))


class ReadsSamples(nn.Module):
    """One channel of samples: at length 1 the length would pass for the channel."""

    def __init__(self):
        super().__init__()
        self.conv = nn.Conv1d(1, 16, 10, 5)
        self.head = nn.Linear(16, 3)

    def forward(self, waveform):
        return self.head(self.conv(waveform).mean(-1))


def test_an_axis_of_channels_is_not_taken_for_the_length():
    assert prepare_subject(ReadsSamples()).inputs.primary_argument.shape == ("batch", 1, "length")


def test_the_name_of_a_decoder_of_torch_promises_nothing():
    layer = nn.TransformerDecoderLayer(32, 4, 64, batch_first=True)
    assert prepare_subject(layer).traits.causal_declared is None

"""What a person brings becomes calls of the model, or a clear refusal."""

from __future__ import annotations

import pytest
import torch

from tierproof.analysis.examples.given_examples import GivenExamples, collect_examples
from tierproof.analysis.examples.read_examples import read_examples
from tierproof.analysis.examples.token_text import decode_ids, encode_text, list_pieces
from tierproof.errors import UsageError
from tierproof.model.describe.prepare_subject import prepare_subject
from zoo.handwritten import CharGPT, build


class Letters:
    def encode(self, text):
        return [ord(letter) - 96 for letter in text]

    def decode(self, ids):
        return "".join(chr(number + 96) for number in ids)


@pytest.fixture(scope="module")
def subject():
    model = CharGPT()
    return prepare_subject(model)


def read(subject, examples, **options):
    return read_examples(subject, collect_examples(examples, **options), 0)


def test_texts_are_rows_without_padding(subject):
    found = read(subject, ["abc", "de"], tokenizer=Letters(), labels=[1, 0])
    name = subject.inputs.primary
    assert [call.tensors[name].tolist() for call in found] == [[[1, 2, 3]], [[4, 5]]]
    assert found.texts == ("abc", "de")
    assert found.pieces == (("a", "b", "c"), ("d", "e"))
    assert [found.labels_of(index) for index in range(2)] == [(1,), (0,)]
    assert (found.describe(), found.given) == ("2 texts", True)


def test_ids_tensors_and_batches_are_taken(subject):
    name = subject.inputs.primary
    rows = torch.tensor([[1, 2, 3], [4, 5, 6]])
    for examples, shapes in (
        ([[1, 2], [3]], [(1, 2), (1, 1)]),
        (rows, [(2, 3)]),
        ([rows[0], rows], [(1, 3), (2, 3)]),
        ({name: rows}, [(2, 3)]),
        ((rows,), [(2, 3)]),
    ):
        found = read(subject, examples)
        assert [tuple(call.tensors[name].shape) for call in found] == shapes
        assert sum(found.rows) == sum(shape[0] for shape in shapes)
        for call in found:
            subject.forward(call)


def test_without_examples_inputs_are_drawn(subject):
    found = read(subject, None)
    assert not found.given
    assert found.describe() == "4 random inputs"
    assert all(torch.equal(a.tensors[subject.inputs.primary], b.tensors[subject.inputs.primary])
               for a, b in zip(found, read(subject, None), strict=True))  # fmt: skip


@pytest.mark.parametrize(
    ("examples", "options", "said"),
    [
        (["abc"], {}, "no tokenizer was given"),
        ([], {}, "there are no examples"),
        (None, {"labels": [1]}, "labels were given without examples"),
        (None, {"tokenizer": Letters()}, "tokenizer"),
        (["abc", "d"], {"tokenizer": Letters(), "labels": [1]}, "1 labels for 2 examples"),
        ([[1, 9999]], {}, "token id 9999"),
        ([""], {"tokenizer": Letters()}, "has no tokens"),
        ([torch.rand(1, 3)], {}, "reads token ids"),
        ([object()], {}, "of type object"),
        (["abc"], {"tokenizer": lambda _: "abc"}, "not a list of ids"),
        (["abc"], {"tokenizer": lambda text: 1 / 0}, "the tokenizer raised"),
    ],
)
def test_what_is_no_example_is_refused(subject, examples, options, said):
    with pytest.raises(UsageError, match=said):
        read(subject, examples, **options)


def test_images_are_read_as_batches():
    subject = prepare_subject(build("tiny_vit"))
    usual = subject.make_call(batch=3, seed=5).tensors[subject.inputs.primary]
    found = read(subject, usual)
    assert found.rows == (3,)
    assert torch.equal(found.calls[0].tensors[subject.inputs.primary], usual)


def test_any_tokenizer_is_understood():
    class Encoding:
        ids = (1, 2)

    class Named:
        def encode(self, _):
            return Encoding()

        def id_to_token(self, number):
            return ["", "Ġa", "▁b"][number]

    assert encode_text(Named(), "x") == [1, 2]
    assert list_pieces(Named(), [0, 1, 2]) == ("#0", " a", " b")
    assert encode_text(lambda _: {"input_ids": [[3, 4]]}, "x") == [3, 4]
    assert encode_text(lambda _: torch.tensor([[5, 6]]), "x") == [5, 6]
    assert decode_ids(Letters(), [1, 2]) == "ab"
    assert decode_ids(object(), [1]) is None


def test_examples_of_a_check_are_frozen():
    given = collect_examples([[1, 2]], labels=[torch.tensor(1)])
    assert given == GivenExamples(([1, 2],), labels=(1,))

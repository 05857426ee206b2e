"""Edited rows become calls: masks and positions follow, padding is left out, axes keep their order."""

from __future__ import annotations

import torch
from torch import nn

from tierproof.analysis.tokens.token_edit import drop_tokens, insert_tokens, keep_tokens, pad_tokens
from tierproof.analysis.tokens.token_lookups import TokenLookups
from tierproof.analysis.tokens.token_rows import apply_edit, explain_uneditable, select_row, split_rows
from tierproof.model.describe.prepare_subject import prepare_subject
from zoo.encoders import ENCODERS
from zoo.handwritten import CharGPT, build


def build_encoder():
    torch.manual_seed(0)
    return ENCODERS["bert_like"][0]()


def test_edits_of_a_padded_batch_leave_the_padding_out():
    subject = prepare_subject(build_encoder())
    plan = subject.inputs
    call = subject.make_call(batch=2, length=8, seed=0)
    mask = call.tensors[plan.padding].clone()
    keep = plan.argument(plan.padding).role == "mask"
    mask[1, 5:] = 0 if keep else 1
    padded = call.with_argument(plan.padding, mask)
    first, second = split_rows(subject, padded, frozenset(), keep_last=False)
    assert first.ids.shape == (1, 8)
    assert second.ids.tolist() == [call.tensors[plan.primary][1, :5].tolist()]
    assert second.call.tensors[plan.padding].shape == (1, 5)
    alone = subject.make_call(batch=1, length=5, seed=0).with_argument(plan.primary, second.ids)
    subject.model.eval()
    assert torch.allclose(subject.answer(second.call), subject.answer(alone), atol=1e-6)


def test_a_row_of_padding_alone_is_left_out():
    subject = prepare_subject(build_encoder())
    plan = subject.inputs
    call = subject.make_call(batch=2, length=6, seed=0)
    hidden = torch.zeros_like(call.tensors[plan.padding])
    if plan.argument(plan.padding).role == "hide_mask":
        hidden = 1 - hidden
    assert split_rows(subject, call.with_argument(plan.padding, hidden), frozenset(), keep_last=False) == []


def test_what_is_as_long_as_the_ids_follows_an_edit():
    subject = prepare_subject(build_encoder())
    call = subject.make_call(batch=2, length=8, seed=0)
    (rows,) = split_rows(subject, call, frozenset(), keep_last=False)
    generator = torch.Generator().manual_seed(0)
    for edit, length in (
        (drop_tokens(rows.ids, rows.editable, 3, generator), 5),
        (insert_tokens(rows.ids, rows.editable, 2, [1, 2], generator), 10),
        (pad_tokens(rows.ids, 4, 0, left=True), 12),
    ):
        made = apply_edit(subject, call, edit)
        assert {name: tensor.shape for name, tensor in made.tensors.items()} == dict.fromkeys(
            call.tensors, torch.Size([2, length])
        )
        role = subject.inputs.argument(subject.inputs.padding).role
        hidden = (made.tensors[subject.inputs.padding] == 0) == (role == "mask")
        assert torch.equal(hidden, edit.hidden)
        subject.answer(made)


def test_an_edit_that_changes_nothing_gives_the_same_answer():
    subject = prepare_subject(CharGPT())
    subject.model.eval()
    call = subject.make_call(batch=3, seed=1)
    (rows,) = split_rows(subject, call, frozenset(), keep_last=True)
    assert not bool(rows.editable[:, -1].any())
    same = apply_edit(subject, call, keep_tokens(rows.ids))
    assert torch.equal(subject.answer(call), subject.answer(same))
    one = select_row(subject, call, 2, copies=4)
    assert torch.allclose(subject.answer(one), subject.answer(call)[2:].expand(4, -1, -1), atol=1e-6)


def test_what_is_no_row_of_ids_is_refused():
    vision = prepare_subject(build("tiny_vit"))
    assert explain_uneditable(vision) == "the model reads no token ids"
    assert explain_uneditable(prepare_subject(CharGPT())) == ""


class Bare(nn.Module):
    """Looks its ids up in a parameter."""

    def __init__(self):
        super().__init__()
        self.table = nn.Parameter(torch.randn(11, 4))

    def forward(self, ids):
        return self.table[ids].sum(1)


def test_lookups_are_seen_in_modules_and_in_bare_parameters():
    ids = torch.tensor([[3, 1, 4, 1, 5]])
    for model, width in ((Bare(), 4), (nn.Sequential(nn.Embedding(11, 6)), 6)):
        with TokenLookups(ids, lambda found, _table: found * 0) as lookups:
            output = model(ids)
        assert [each.table.shape for each in lookups.lookups] == [torch.Size([11, width])]
        assert not bool(output.any())
        with TokenLookups(ids + 1, lambda found, _table: found * 0) as lookups:
            model(ids)
        assert lookups.lookups == []

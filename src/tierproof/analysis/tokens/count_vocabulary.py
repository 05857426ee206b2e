"""How many token ids a model knows, also where a given input shows only a few of them."""

from __future__ import annotations

import torch

from tierproof.analysis.tokens.token_lookups import TokenLookups
from tierproof.model.call.call import Call
from tierproof.model.describe.subject import Subject


def count_vocabulary(subject: Subject, call: Call) -> int:
    """How many ids the model knows: as the input plan says, or the rows of the smallest table they are looked up in.

    A plan that was read off a given input knows only the ids in it, so the model runs once to show its tables.
    """
    argument = subject.inputs.primary_argument
    if argument.role != "tokens" or argument.sample is None or argument.name not in call.tensors:
        return argument.high
    subject.model.eval()
    with torch.no_grad(), TokenLookups(call.tensors[argument.name], lambda found, _table: found) as lookups:
        subject.forward(call)
    return min((lookup.table.shape[0] for lookup in lookups.lookups), default=argument.high)

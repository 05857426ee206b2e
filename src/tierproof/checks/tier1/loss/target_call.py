"""A call of a model with targets of its own, in which no token occurs twice."""

from __future__ import annotations

from dataclasses import replace

import torch
from torch import Tensor

from tierproof.model.call.call import Call
from tierproof.model.call.extra_arguments import find_target_name
from tierproof.model.call.forward_signature import read_signature
from tierproof.model.call.input_plan import Argument
from tierproof.model.describe.subject import Subject


def make_target_call(subject: Subject, seed: int) -> tuple[str, Call] | None:
    """The targets' name, and the default call with targets in which no token occurs twice in a row of the batch."""
    given = next((a for a in subject.inputs.arguments if a.role == "targets"), None)
    signature = read_signature(subject.model)
    name = given.name if given else find_target_name(signature.names, primary=subject.inputs.primary)
    vocab = subject.traits.vocab_size
    if name is None or vocab is None or subject.inputs.style == "mapping" or not subject.outputs.per_position:
        return None
    classes = subject.outputs.axes[-1]
    if isinstance(classes, int):
        vocab = min(vocab, classes)  # a tagger knows fewer classes than words, and labels are classes
    axis = subject.outputs.axes[subject.outputs.length_axis]
    follows = next((a for a in subject.inputs.arguments if axis in a.shape and a.role == "tokens"), None)
    if follows is None or len(follows.shape) != 2:
        return None
    call = subject.make_call(seed=seed, length=subject.inputs.clip_length(min(12, max(vocab - 2, 1))))
    shape = call.tensors[follows.name].shape
    targets = _draw_distinct(follows, vocab, shape[0], shape[1], seed).to(subject.device)
    return name, replace(call.with_argument(name, targets), style="keyword")


def _draw_distinct(follows: Argument, vocab: int, rows: int, length: int, seed: int) -> Tensor:
    generator = torch.Generator().manual_seed(seed + 11)
    allowed = torch.tensor([token for token in range(vocab) if token not in follows.avoid])
    order = [allowed[torch.randperm(len(allowed), generator=generator)[:length]] for _ in range(rows)]
    return torch.stack(order)


def find_loss(tensors: dict[str, Tensor]) -> Tensor | None:
    """The scalar among a model's outputs that is its loss; None where there is none."""
    scalars = {p: t for p, t in tensors.items() if t.numel() == 1 and t.is_floating_point() and t.dim() <= 1}
    named = next((t for p, t in scalars.items() if p.rpartition(".")[2] == "loss"), None)
    return named if named is not None else next(iter(scalars.values()), None)

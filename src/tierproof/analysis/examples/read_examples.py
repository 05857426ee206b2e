"""Make calls of what a person brought, or of random draws where nothing was brought."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor

from tierproof.analysis.examples.example_set import ExampleSet
from tierproof.analysis.examples.given_examples import GivenExamples
from tierproof.analysis.examples.token_text import encode_text, list_pieces
from tierproof.errors import UsageError
from tierproof.model.call.call import Call
from tierproof.model.call.input_plan import Argument
from tierproof.model.describe.subject import Subject

# Random draws: enough for a mean, few enough to be cheap.
_DRAWS = 4
_LONGEST_DRAW = 64


def sample_inputs(given: GivenExamples | None) -> Any:
    """What `prepare_subject` is to call the model with, where the examples themselves tell: the first of them.

    None for texts and ids (a tensor of them, too), which say only that there are such ids: the model's own arguments
    are worked out as without examples.
    """
    if given is None:
        return None
    first = given.items[0]
    if isinstance(first, Tensor) and first.dim() <= 2 and not first.is_floating_point():
        return None
    return None if isinstance(first, str | list | tuple) and not _holds_tensors(first) else first


def read_examples(subject: Subject, given: GivenExamples | None, seed: int) -> ExampleSet:
    """The examples as calls of the subject.

    Raises:
        UsageError: an example cannot be an input of this model, or labels do not fit; the message says which.
    """
    if given is None:
        return _draw(subject, seed)
    argument = subject.inputs.primary_argument
    calls, pieces = [], []
    for index, item in enumerate(given.items):
        calls.append(_make_call(subject, argument, _encode(given, item), index))
        if given.tokenizer is not None and argument.role == "tokens":
            ids = calls[-1].tensors.get(argument.name)
            row = ids.flatten().tolist() if ids is not None and ids.shape[0] == 1 else []
            pieces.append(list_pieces(given.tokenizer, row))
    rows = tuple(count_rows(subject, call) for call in calls)
    if given.labels is not None and len(given.labels) != sum(rows):
        raise UsageError(
            f"there are {len(given.labels)} labels for {sum(rows)} examples",
            hint="Pass one label for each example, in their order.",
        )
    texts = tuple(item for item in given.items if isinstance(item, str))
    return ExampleSet(
        tuple(calls),
        rows,
        given=True,
        texts=texts if len(texts) == len(calls) else (),
        pieces=tuple(pieces),
        labels=given.labels,
        tokenizer=given.tokenizer,
    )


def _encode(given: GivenExamples, item: Any) -> Any:
    """A text or a list of ids as one row of ids; anything else as it is."""
    if isinstance(item, str):
        return torch.tensor([encode_text(given.tokenizer, item)], dtype=torch.long)
    if isinstance(item, list) and all(isinstance(each, int) for each in item):
        return torch.tensor([item], dtype=torch.long)
    return item


def _draw(subject: Subject, seed: int) -> ExampleSet:
    length, batch = find_drawn_length(subject), 1 if subject.inputs.has_batch else None
    calls = tuple(subject.make_call(batch=batch, length=length, seed=seed + index) for index in range(_DRAWS))
    return ExampleSet(calls, tuple(count_rows(subject, call) for call in calls))


def find_drawn_length(subject: Subject) -> int | None:
    """The length of random draws: the model's default, at most 64; None where it has no length to vary."""
    plan = subject.inputs
    return min(plan.default_length, plan.clip_length(_LONGEST_DRAW)) if plan.has_length else None


def _make_call(subject: Subject, argument: Argument, item: Any, index: int) -> Call:
    if isinstance(item, Mapping):
        known = {name: value.to(subject.device) for name, value in item.items() if isinstance(value, Tensor)}
        usual = subject.make_call(seed=0)
        return Call({**known}, usual.style, usual.constants, usual.layout)
    if isinstance(item, tuple) and _holds_tensors(item):
        usual = subject.make_call(seed=0)
        named = dict(zip(usual.arguments, item, strict=False))
        return Call(
            {n: v.to(subject.device) for n, v in named.items()}, usual.style, usual.constants, usual.layout
        )
    if not isinstance(item, Tensor):
        raise UsageError(
            f"example {index} is of type {type(item).__name__}",
            hint="Pass texts with a tokenizer, lists of token ids, tensors, or dicts of tensors.",
        )
    if argument.role == "tokens":
        _refuse_unknown_ids(argument, item, index)
    item = item.to(subject.device)
    if item.dim() == len(argument.shape) - 1:
        item = item[None]
    sizes = dict(zip(argument.shape, item.shape, strict=False))
    batch, length = sizes.get("batch"), sizes.get("length")
    call = subject.make_call(
        batch=batch if subject.inputs.has_batch else None,
        length=length if subject.inputs.has_length else None,
        seed=index,
    )
    return call.with_argument(argument.name, item if item.is_floating_point() else item.to(argument.dtype))


def _refuse_unknown_ids(argument: Argument, ids: Tensor, index: int) -> None:
    if ids.is_floating_point():
        raise UsageError(
            f"example {index} has values of {ids.dtype}, but the model reads token ids",
            hint="Pass integers, or texts with a tokenizer.",
        )
    if ids.numel() == 0:
        raise UsageError(
            f"example {index} has no tokens", hint="Leave it out, or pass a text that is not empty."
        )
    if argument.high > 1 and int(ids.max()) >= argument.high:
        raise UsageError(
            f"example {index} has the token id {int(ids.max())}, but the model knows ids below {argument.high} only",
            hint="Use the tokenizer that the model was trained with.",
        )


def count_rows(subject: Subject, call: Call) -> int:
    """How many rows a call has; 1 where the model has no batch axis."""
    argument = subject.inputs.primary_argument
    tensor = call.tensors.get(argument.name)
    if tensor is None or "batch" not in argument.shape:
        return 1
    return int(tensor.shape[argument.shape.index("batch")])


def _holds_tensors(value: Any) -> bool:
    return isinstance(value, tuple) and bool(value) and all(isinstance(each, Tensor) for each in value)

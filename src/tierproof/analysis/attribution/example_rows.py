"""Take examples apart into calls of one row, and put several copies of a row into one call."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import torch
from torch import Tensor

from tierproof.analysis.examples.example_set import ExampleSet
from tierproof.model.call.call import Call
from tierproof.model.call.input_plan import BATCH, Argument
from tierproof.model.describe.subject import Subject


@dataclass(frozen=True)
class ExampleRow:
    """One example.

    Attributes:
        number: counted over all rows of all calls.
        call: of this row alone.
        pieces: the text of each token; empty where no tokenizer told it.
    """

    number: int
    call: Call
    pieces: tuple[str, ...] = ()


def iterate_rows(subject: Subject, examples: ExampleSet) -> Iterator[ExampleRow]:
    """Every row of the examples as a call of its own, in order."""
    number = 0
    for index, call in enumerate(examples.calls):
        pieces = examples.pieces[index] if index < len(examples.pieces) else ()
        for row in range(examples.rows[index]):
            alone = call if examples.rows[index] == 1 else _take_row(subject, call, row, examples.rows[index])
            yield ExampleRow(number, alone, pieces)
            number += 1


def count_all_rows(examples: ExampleSet) -> int:
    """How many rows the examples have together."""
    return sum(examples.rows)


def find_batch_axis(argument: Argument) -> int | None:
    """The axis of an argument that follows the batch; None where it has none."""
    return argument.shape.index(BATCH) if BATCH in argument.shape else None


def widen_call(subject: Subject, call: Call, count: int) -> Call:
    """A call with `count` copies of the one row of `call`."""
    axes = _list_batch_axes(subject)

    def repeat(name: str, tensor: Tensor) -> Tensor:
        axis = axes.get(name)
        return tensor if axis is None else torch.cat([tensor] * count, dim=axis)

    return call.map_tensors(repeat) if count > 1 else call


def _take_row(subject: Subject, call: Call, row: int, rows: int) -> Call:
    axes = _list_batch_axes(subject)
    planned = {argument.name for argument in subject.inputs.arguments}

    def take(name: str, tensor: Tensor) -> Tensor:
        axis = axes.get(name, 0 if name not in planned else None)
        fits = axis is not None and axis < tensor.dim() and tensor.shape[axis] == rows
        return tensor.narrow(axis, row, 1) if fits and axis is not None else tensor

    return call.map_tensors(take)


def _list_batch_axes(subject: Subject) -> dict[str, int]:
    axes = {argument.name: find_batch_axis(argument) for argument in subject.inputs.arguments}
    return {name: axis for name, axis in axes.items() if axis is not None}


def find_kept(subject: Subject, row: ExampleRow, argument: Argument) -> Tensor | None:
    """Which positions of a token argument the padding mask leaves in, Boolean, flat; None where no mask tells."""
    plan = subject.inputs
    if argument.name != plan.primary or not plan.padding or plan.padding not in row.call.tensors:
        return None
    mask = row.call.tensors[plan.padding]
    if mask.numel() != row.call.tensors[argument.name].numel():
        return None
    role = plan.argument(plan.padding).role
    if role == "mask":
        return (mask > 0).flatten()
    if role == "hide_mask":
        return (mask == 0).flatten()
    return None

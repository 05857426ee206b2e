"""The inputs of one example that get scores: what lies at the end of the path, and what at its beginning."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor

from tierproof.analysis.attribution.example_rows import ExampleRow, find_batch_axis, find_kept
from tierproof.analysis.attribution.input_units import InputUnits, cut_floats, cut_tokens
from tierproof.analysis.attribution.lookup_swap import Lookup, LookupSwap
from tierproof.errors import UsageError
from tierproof.model.call.input_plan import Argument
from tierproof.model.describe.subject import Subject

FLOAT_ROLES = ("image", "audio", "floats")
GivenBaseline = str | int | float | None
_WORDS = ("zero", "padding", "mean")


@dataclass(frozen=True)
class PathInput:
    """One tensor that moves from the baseline to the input.

    Attributes:
        argument: it belongs to.
        order: of the lookup that gives it; None where it is the argument itself.
        value, baseline: of one row, of one shape.
        numbers: of its shape, the number of the piece that each element belongs to; −1 for none.
        batch_axis: along which rows are put together; None where there is no such axis.
        units: the pieces.
        kept: for each piece, whether it is no padding.
        words: what the baseline is.
        rows: of the table that the value was looked up in; 0 where it was not.
    """

    argument: Argument
    order: int | None
    value: Tensor
    baseline: Tensor
    numbers: Tensor
    batch_axis: int | None
    units: InputUnits
    kept: tuple[bool, ...]
    words: str
    rows: int = 0

    @property
    def differentiable(self) -> bool:
        """Whether it is real-valued: ids that are looked up nowhere are not."""
        return self.value.is_floating_point()


def refuse_baseline(given: Any) -> None:
    """Refuse what cannot be a baseline at all.

    Raises:
        UsageError: it is neither one of the words nor a number.
    """
    number = isinstance(given, int | float) and not isinstance(given, bool)
    if not (given is None or given in _WORDS or number):
        raise UsageError(
            f"the baseline {given!r} cannot be used",
            hint="Pass 'zero', 'padding' (tokens), 'mean', a token id, or for images and other numbers a value.",
        )


def find_path_inputs(
    subject: Subject, row: ExampleRow, given: GivenBaseline, most_units: int, special: frozenset[int]
) -> tuple[PathInput, ...]:
    """The tokens of the row as the vectors that the model looks up, and its images and other real numbers.

    Args:
        subject: the model and how to call it.
        row: of one example.
        given: the baseline that was asked for; None for a fitting one.
        most_units: pieces that one input is cut into at most.
        special: ids that the baseline keeps: they mark where a text begins and ends.
    """
    plan = subject.inputs
    tokens = [a for a in plan.arguments if a.role == "tokens" and a.name in row.call.tensors]
    tokens = [a for a in tokens if not row.call.tensors[a.name].is_floating_point()]
    found: list[PathInput] = []
    lookups = _list_lookups(subject, row, tokens)
    for argument in tokens:
        ids = row.call.tensors[argument.name]
        texts = row.pieces if argument.name == plan.primary else ()
        texts = texts if len(texts) == ids.numel() else _name_tokens(ids)
        units = cut_tokens(ids.numel(), texts, most_units)
        kept = _keep_units(units, find_kept(subject, row, argument))
        own = [each for each in lookups if each.argument == argument.name and each.found.numel()]
        pad = plan.pad_token_id if argument.low <= (plan.pad_token_id or 0) < max(argument.high, 1) else None
        if not own:
            found.append(_make_ids(argument, ids, units, kept, given, pad))
        found += [_make_embedded(argument, ids, each, units, kept, given, pad, special) for each in own]
    for argument in plan.arguments:
        value = row.call.tensors.get(argument.name)
        wanted = argument.role in FLOAT_ROLES and not argument.whole
        if wanted and value is not None and value.is_floating_point() and value.numel():
            found.append(_make_floats(subject, argument, value, given, most_units))
    return tuple(found)


def _list_lookups(subject: Subject, row: ExampleRow, tokens: list[Argument]) -> list[Lookup]:
    if not tokens:
        return []
    values = {
        name: value.clone() if isinstance(value, Tensor) else value
        for name, value in row.call.arguments.items()
    }
    axes = {argument.name: find_batch_axis(argument) or 0 for argument in tokens}
    swap = LookupSwap({argument.name: values[argument.name] for argument in tokens}, batch_axes=axes)
    with torch.no_grad(), swap:
        row.call.run_on(subject.model, values)
    return swap.lookups


def _name_tokens(ids: Tensor) -> tuple[str, ...]:
    """Place and number of each token, where no tokenizer tells its text."""
    return tuple(f"{place}: #{each}" for place, each in enumerate(ids.flatten().tolist()))


def _keep_units(units: InputUnits, kept: Tensor | None) -> tuple[bool, ...]:
    if kept is None:
        return (True,) * len(units.pieces)
    keeps = [False] * len(units.pieces)
    for number, keep in zip(units.numbers.tolist(), kept.tolist(), strict=True):
        keeps[number] |= bool(keep)
    return tuple(keeps)


def _make_ids(
    argument: Argument,
    ids: Tensor,
    units: InputUnits,
    kept: tuple[bool, ...],
    given: GivenBaseline,
    pad: int | None,
) -> PathInput:
    """Ids that are looked up nowhere: only leaving them out, one by one, tells about them."""
    chosen = given if isinstance(given, int) else pad
    chosen = argument.low if chosen is None else chosen
    _refuse_unknown(chosen, argument.low, max(argument.high, argument.low + 1))
    baseline = torch.full_like(ids, chosen)
    return PathInput(
        argument,
        None,
        ids,
        baseline,
        units.numbers.to(ids.device).reshape(ids.shape),
        find_batch_axis(argument),
        units,
        kept,
        f"the token {chosen} in place of each",
    )


def _make_embedded(
    argument: Argument,
    ids: Tensor,
    lookup: Lookup,
    units: InputUnits,
    kept: tuple[bool, ...],
    given: GivenBaseline,
    pad: int | None,
    special: frozenset[int],
) -> PathInput:
    value = lookup.found if lookup.found.is_floating_point() else lookup.found.float()
    vector, words = _choose_vector(lookup, given, pad, value)
    baseline = vector.to(value).expand_as(value).clone()
    numbers = units.numbers.to(value.device)
    known = lookup.positions.clamp(min=0)
    stays = lookup.positions < 0
    if special:
        marks = torch.tensor(sorted(special), device=ids.device)
        marked = torch.isin(ids.flatten(), marks)
        stays = stays | marked[known]
        words += ", special tokens kept" if bool(marked.any()) else ""
    baseline = torch.where(stays[..., None], value, baseline)
    placed = torch.where(lookup.positions < 0, -1, numbers[known])
    return PathInput(
        argument,
        lookup.order,
        value,
        baseline,
        placed[..., None].expand(value.shape),
        lookup.batch_axis if find_batch_axis(argument) is not None else None,
        units,
        kept,
        words,
        lookup.rows,
    )


def _choose_vector(
    lookup: Lookup, given: GivenBaseline, pad: int | None, value: Tensor
) -> tuple[Tensor, str]:
    if given == "padding" and pad is None:
        raise UsageError(
            "the baseline is 'padding', but the model declares no padding token",
            hint="Pass 'zero', 'mean' or a token id as `baseline`.",
        )
    if given == "mean":
        return value.reshape(-1, value.shape[-1]).mean(0), "the mean of the example's own embeddings"
    if isinstance(given, int | float):
        _refuse_unknown(int(given), 0, lookup.rows)
        one = torch.tensor([int(given)], device=value.device)
        return lookup.look_up(one)[0].float(), f"the embedding of token {int(given)}"
    if given == "padding" or (given is None and pad is not None):
        one = torch.tensor([pad], device=value.device)
        return lookup.look_up(one)[0].float(), f"the embedding of the padding token {pad}"
    return torch.zeros(value.shape[-1], device=value.device), "zero embeddings"


def _refuse_unknown(token: int, low: int, stop: int) -> None:
    if not low <= token < stop:
        raise UsageError(
            f"the baseline is token {token}, but the model knows ids from {low} to {stop - 1} only",
            hint="Pass an id that the model knows, 'zero' or 'mean'.",
        )


def _make_floats(
    subject: Subject, argument: Argument, value: Tensor, given: GivenBaseline, most_units: int
) -> PathInput:
    units = cut_floats(argument, value, subject.model, most_units)
    units = replace(units, numbers=units.numbers.to(value.device))
    mean = given == "mean" or (given is None and units.channel_axis is not None)
    if given is None and bool((value == value.flatten()[0]).all()):
        mean = False  # an image of one colour is its own mean
    if mean and units.channel_axis is not None:
        others = [axis for axis in range(value.dim()) if axis != units.channel_axis]
        baseline, words = value.mean(others, keepdim=True).expand_as(value), "the image's own mean colour"
    elif mean:
        baseline, words = value.mean().expand_as(value), "the mean of the input"
    elif isinstance(given, int | float):
        baseline, words = torch.full_like(value, float(given)), f"the value {given:g} everywhere"
    else:
        baseline, words = torch.zeros_like(value), "zeros"
    return PathInput(
        argument,
        None,
        value.detach().clone(),
        baseline.clone(),
        units.numbers,
        find_batch_axis(argument),
        units,
        (True,) * len(units.pieces),
        words,
    )

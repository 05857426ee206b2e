"""List the ways to fill each required parameter: by its annotation, docstring and name, and the model's layers."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

import torch
from torch import nn

from tierproof.core.standing import Standing
from tierproof.model.call.input_plan import BATCH, LENGTH, TARGET_LENGTH, Argument, InputPlan
from tierproof.model.call.layout import SizeSlot, Slot
from tierproof.model.call.solve.choice import Choice, combine_choices
from tierproof.model.call.solve.parameter import Parameter

_MASK_NAME = re.compile(r"mask", re.IGNORECASE)
_LENGTHS_NAME = re.compile(r"len(gth)?s?$|lens$", re.IGNORECASE)
_OFFSET_NAME = re.compile(r"pos$|position$|offset|start|step|past|index|idx$", re.IGNORECASE)
_STATE_NAME = re.compile(r"hidden|state|^h_?0?$|^hx$|memor|carry", re.IGNORECASE)
_TARGET_NAME = re.compile(r"tgt|target|trg|dec|^y", re.IGNORECASE)
_SOURCE_NAME = re.compile(r"src|source|enc|memory", re.IGNORECASE)
# What a loss compares with: no sequence of its own, so that a mask beside it is one of the input.
_LABEL_NAME = re.compile(r"labels?|y|y_true|gold", re.IGNORECASE)
_MOST_PLANS = 40
_MOST_TENSOR_CHOICES = 6

Shape = tuple[str | int, ...]
Proposal = tuple[str, Shape, tuple[str, ...]]


def propose_declared_inputs(
    model: nn.Module,
    parameters: Sequence[Parameter],
    shapes: Sequence[Proposal],
    *,
    dtype: torch.dtype,
    vocab_size: int | None,
    pad_token_id: int | None,
) -> Iterator[InputPlan]:
    """Propose plans in which each parameter has its own kind; none where nothing tells the parameters apart.

    Args:
        shapes: roles and shapes for a tensor of which nothing is known, the most likely first.
        dtype: of floats.
        vocab_size: declared, or None.
    """
    if not any(_is_told(parameter) for parameter in parameters):
        return
    choices: dict[str, list[Choice]] = {}
    sequences = 0
    for parameter in parameters:
        if _is_special(parameter):
            continue
        length = LENGTH if not choices else TARGET_LENGTH
        sequences += not (choices and _LABEL_NAME.fullmatch(parameter.name))
        choices[parameter.name] = _list_tensors(parameter, length, shapes, dtype, vocab_size)
    if not sequences:
        return
    ordered = {
        p.name: choices.get(p.name) or _list_special(model, p, sequences > 1, dtype) for p in parameters
    }
    yield from combine_choices(ordered, most=_MOST_PLANS, pad_token_id=pad_token_id)


def _is_told(parameter: Parameter) -> bool:
    return bool(parameter.scalar or parameter.dims or parameter.dtype or _is_special(parameter))


def _is_special(parameter: Parameter) -> bool:
    """Whether the parameter is no content: a plain number, a mask, lengths, or a state."""
    if parameter.scalar is not None or parameter.dtype == "bool":
        return True
    name = parameter.name
    return not parameter.dims and any(p.search(name) for p in (_MASK_NAME, _LENGTHS_NAME, _STATE_NAME))


def _list_special(model: nn.Module, parameter: Parameter, two: bool, dtype: torch.dtype) -> list[Choice]:
    if parameter.scalar is not None:
        return _list_scalars(parameter)
    if _MASK_NAME.search(parameter.name) or parameter.dtype == "bool":
        return list_masks(parameter.name, two=two)
    if _LENGTHS_NAME.search(parameter.name):
        lengths = Argument(parameter.name, "lengths", (BATCH,), torch.int64)
        return [Choice.of_tensor(lengths), Choice(SizeSlot(LENGTH))]
    return list_states(model, parameter.name, dtype) or [Choice(None)]


def _list_scalars(parameter: Parameter) -> list[Choice]:
    """Plain numbers, the harmless one first: an offset of 0, the real length, no flag."""
    if parameter.scalar is bool:
        return [Choice(False), Choice(True)]
    if parameter.scalar is float:
        return [Choice(value, note=f"assumed {parameter.name} = {value}") for value in (1.0, 0.5, 0.0)]
    if parameter.scalar is str:
        return [Choice("", note=f"assumed an empty {parameter.name}")]
    numbers = [Choice(value, note=f"assumed {parameter.name} = {value}") for value in (1, 2, 4, 8)]
    zero, length, batch = Choice(0), Choice(SizeSlot(LENGTH)), Choice(SizeSlot(BATCH))
    if _LENGTHS_NAME.search(parameter.name):
        return [length, *numbers, zero, batch]
    if "batch" in parameter.name:
        return [batch, *numbers, length, zero]
    return [zero, *numbers, length, batch]


def list_masks(name: str, *, two: bool) -> list[Choice]:
    """Masks in the usual shapes, plain and, where square on a target, causal ones first.

    They are written as if 1 showed a position. `describe/mask_polarity.py` measures it once a call works, and turns
    a mask that hides by 1; where it cannot, this stays an assumption.
    """
    target = two and bool(_TARGET_NAME.search(name)) and not _SOURCE_NAME.search(name)
    size = TARGET_LENGTH if target else LENGTH
    kept: list[Shape] = [(BATCH, 1, size), (BATCH, size), (BATCH, 1, 1, size)]
    square: list[Shape] = [(BATCH, size, size), (size, size), (BATCH, 1, size, size)]
    causal = [("causal_mask", shape) for shape in square]
    plain = [("mask", shape) for shape in kept]
    if "padding" in name:
        order = [plain[1], plain[0], plain[2]]
    elif target:
        order = [*causal, *plain]
    elif two:
        order = [*plain, *causal]
    else:
        order = [plain[1], causal[1], plain[2], plain[0], causal[0], causal[2]]
    return [Choice.of_tensor(Argument(name, role, shape, torch.bool)) for role, shape in order]


def list_states(model: nn.Module, name: str, dtype: torch.dtype) -> list[Choice]:
    """First states of the model's recurrent layers: a pair for an LSTM, one tensor for a GRU and an RNN."""
    layer = next((m for m in model.modules() if isinstance(m, nn.RNNBase)), None)
    if layer is None:
        cell = next((m for m in model.modules() if isinstance(m, nn.RNNCellBase)), None)
        if cell is None:
            return []
        shapes: list[Shape] = [(BATCH, cell.hidden_size)]
        pair = isinstance(cell, nn.LSTMCell)
    else:
        rows = layer.num_layers * (2 if layer.bidirectional else 1)
        shapes = [(rows, BATCH, layer.proj_size or layer.hidden_size), (rows, BATCH, layer.hidden_size)]
        pair = isinstance(layer, nn.LSTM)
    if not pair:
        return [Choice.of_tensor(_make_state(name, shapes[0], dtype))]
    states = tuple(_make_state(f"{name}.{i}", shape, dtype) for i, shape in enumerate((shapes * 2)[:2]))
    return [Choice(tuple(Slot(state.name) for state in states), states), Choice(None)]


def _make_state(name: str, shape: Shape, dtype: torch.dtype) -> Argument:
    return Argument(name, "state", shape, dtype)


def _list_tensors(
    parameter: Parameter, length: str, shapes: Sequence[Proposal], dtype: torch.dtype, vocab_size: int | None
) -> list[Choice]:
    """Content tensors: those whose rank and dtype the annotation or the docstring allows."""
    standing = Standing.DECLARED if parameter.dtype else Standing.ASSUMED
    found = []
    for role, plain, notes in shapes:
        if parameter.dims and len(plain) != len(parameter.dims):
            continue
        if parameter.dtype and (role == "tokens") != (parameter.dtype == "int"):
            continue
        shape = tuple(length if size == LENGTH else size for size in plain)
        argument = (
            Argument(parameter.name, role, shape, torch.int64, high=vocab_size or 2, standing=standing)
            if role == "tokens"
            else Argument(parameter.name, role, shape, dtype, standing=standing)
        )
        found.append(Choice.of_tensor(argument, next(iter(notes), "")))
    if _OFFSET_NAME.search(parameter.name) and length == TARGET_LENGTH:
        offset = Argument(parameter.name, "offset", (BATCH,), torch.int64)
        found[:0] = [Choice(0), Choice.of_tensor(offset)]
    return found[:_MOST_TENSOR_CHOICES] or _list_named_axes(parameter, dtype, vocab_size)


def _list_named_axes(parameter: Parameter, dtype: torch.dtype, vocab_size: int | None) -> list[Choice]:
    """A tensor of the axes that are named, where no usual shape has as many; its sizes are learnt from failures."""
    sizes: list[str | int] = [BATCH]
    for index, word in enumerate(parameter.dims[1:], 1):
        middle = index == 1 and len(parameter.dims) in (2, 3)
        sizes.append(int(word) if word.isdigit() else LENGTH if middle else 8)
    role = "tokens" if parameter.dtype == "int" else "floats"
    kind = torch.int64 if role == "tokens" else dtype
    return [Choice.of_tensor(Argument(parameter.name, role, tuple(sizes), kind, high=vocab_size or 2))]

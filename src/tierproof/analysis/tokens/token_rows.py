"""Rows of token ids that can be edited, and the calls that edited rows make."""

from __future__ import annotations

from dataclasses import dataclass, replace

import torch
from torch import Tensor

from tierproof.analysis.tokens.token_edit import ADDED, TokenEdit, keep_tokens
from tierproof.model.call.call import Call
from tierproof.model.call.input_plan import BATCH, LENGTH, TARGET_LENGTH, Argument, InputPlan
from tierproof.model.describe.subject import Subject

_KEEP, _HIDE = ("mask",), ("hide_mask",)


@dataclass(frozen=True)
class TokenRows:
    """Rows of one length, without padding, as one call.

    Attributes:
        call: of these rows.
        ids: [rows, positions].
        editable: [rows, positions]; positions that hold neither a special token nor one that has to stay.
        numbers: which rows of the call they came from these are.
    """

    call: Call
    ids: Tensor
    editable: Tensor
    numbers: tuple[int, ...]


def explain_uneditable(subject: Subject) -> str:
    """Why the model's input cannot be edited token by token; empty where it can."""
    argument = subject.inputs.primary_argument
    if argument.role != "tokens":
        return "the model reads no token ids"
    if LENGTH not in argument.shape:
        return "the token ids have no length axis"
    if set(argument.shape) - {BATCH, LENGTH}:
        return f"each position of `{argument.name}` has several ids"
    return ""


def split_rows(subject: Subject, call: Call, special: frozenset[int], *, keep_last: bool) -> list[TokenRows]:
    """The rows of a call: together where none is padded, else one by one with the padding left out.

    Args:
        keep_last: the last position is not editable, because the answer is asked there.

    Returns:
        Without rows that are padding alone.
    """
    ids = _as_rows(subject, call.tensors[subject.inputs.primary])
    visible = _read_visible(subject, call, ids)
    if bool(visible.all()):
        return [_make_rows(call, ids, special, keep_last, tuple(range(len(ids))))]
    split = []
    for row in range(len(ids)):
        positions = visible[row].nonzero().flatten()
        if len(positions) == 0:
            continue
        alone = select_row(subject, call, row)
        edit = TokenEdit(
            ids[row : row + 1, positions],
            positions[None],
            torch.zeros_like(positions[None], dtype=torch.bool),
        )
        trimmed = apply_edit(subject, alone, edit)
        split.append(_make_rows(trimmed, edit.ids, special, keep_last, (row,)))
    return split


def select_row(subject: Subject, call: Call, row: int, copies: int = 1) -> Call:
    """The call with one of its rows alone, `copies` times."""

    def select(name: str, tensor: Tensor) -> Tensor:
        shape = _find_shape(subject.inputs, name, tensor)
        if BATCH not in shape:
            return tensor
        axis = shape.index(BATCH)
        alone = tensor.narrow(axis, row, 1)
        return alone.repeat_interleave(copies, axis) if copies > 1 else alone

    return call.map_tensors(select)


def apply_edit(subject: Subject, call: Call, edit: TokenEdit) -> Call:
    """The call with edited ids; masks, positions and whatever else has the same length follow."""
    plan = subject.inputs
    primary = plan.primary_argument
    rows, length = edit.ids.shape
    before = _as_rows(subject, call.tensors[primary.name])
    ids = edit.ids if primary.shape[0] == BATCH or BATCH not in primary.shape else edit.ids.t()
    ids = ids if BATCH in primary.shape else ids[0]
    if before.shape == edit.ids.shape and torch.equal(edit.origins, keep_tokens(before).origins):
        return call.with_argument(primary.name, ids)
    target = _find_size(subject, call, TARGET_LENGTH)
    usual = subject.make_call(
        batch=rows if plan.has_batch else None, length=length, target_length=target, seed=0
    )
    changed: dict[str, object] = dict(call.arguments)
    for name, tensor in call.tensors.items():
        shape = _find_shape(plan, name, tensor, like=before)
        if name == primary.name:
            changed[name] = ids
        elif LENGTH in shape:
            changed[name] = _follow(_find_argument(plan, name), usual, name, tensor, shape, edit)
    if bool(edit.hidden.any()) and plan.padding and plan.padding not in changed:
        mask = plan.argument(plan.padding)
        changed[plan.padding] = _hide(mask.role, usual.tensors[plan.padding], edit)
    return replace(call, arguments=changed, constants=usual.constants, layout=usual.layout)


def _follow(
    argument: Argument | None,
    usual: Call,
    name: str,
    tensor: Tensor,
    shape: tuple[str | int, ...],
    edit: TokenEdit,
) -> Tensor:
    """Another argument with a length axis, at the new length."""
    role = argument.role if argument is not None else ""
    redrawn = role.startswith("causal") or shape.count(LENGTH) > 1
    if redrawn and name in usual.tensors:
        return usual.tensors[name]
    axis = shape.index(LENGTH)
    origins = edit.origins
    length = tensor.shape[axis]
    if _counts_up(tensor, axis):
        start = tensor.select(axis, 0).unsqueeze(axis)
        steps = torch.arange(origins.shape[1], device=tensor.device, dtype=tensor.dtype)
        return start + steps.view([-1 if at == axis else 1 for at in range(tensor.dim())])
    # A new position takes what its left neighbour has.
    filled = torch.where(origins == ADDED, torch.zeros_like(origins), origins).cummax(dim=1).values
    index = torch.where(origins == ADDED, filled, origins).clamp(max=length - 1)
    batch = shape.index(BATCH) if BATCH in shape else None
    moved = tensor.movedim(axis, 0) if batch is None else tensor.movedim((batch, axis), (0, 1))
    if batch is None:
        made = moved[index[0]].movedim(0, axis)
    else:
        made = torch.stack([moved[row][index[row]] for row in range(len(index))])
        made = made.movedim((0, 1), (batch, axis))
    if role in ("mask", "hide_mask") or _is_mask(name, tensor):
        added = edit.origins == ADDED
        if len(shape) == 2 and batch is not None:
            shown = 0 if role in _HIDE else 1
            placed = added if batch == 0 else added.t()
            made = torch.where(placed.to(made.device), torch.full_like(made, shown), made)
            return _hide(role or "mask", made, edit, turned=batch == 1)
    return made


def _hide(role: str, mask: Tensor, edit: TokenEdit, *, turned: bool = False) -> Tensor:
    hidden = edit.hidden.t() if turned else edit.hidden
    value = 1 if role in _HIDE else 0
    return torch.where(hidden.to(mask.device), torch.full_like(mask, value), mask)


def _is_mask(name: str, tensor: Tensor) -> bool:
    """Whether an argument that the plan does not know is a padding mask: by its name, and ones and zeros."""
    return "mask" in name and not tensor.is_floating_point() and bool(((tensor == 0) | (tensor == 1)).all())


def _counts_up(tensor: Tensor, axis: int) -> bool:
    """Whether a tensor holds consecutive positions."""
    if tensor.is_floating_point() or tensor.dtype is torch.bool or tensor.shape[axis] < 2:
        return False
    return bool((tensor.diff(dim=axis) == 1).all())


def _make_rows(
    call: Call, ids: Tensor, special: frozenset[int], keep_last: bool, numbers: tuple[int, ...]
) -> TokenRows:
    editable = torch.ones_like(ids, dtype=torch.bool)
    for token in special:
        editable &= ids != token
    if keep_last:
        editable[:, -1] = False
    return TokenRows(call, ids, editable, numbers)


def _read_visible(subject: Subject, call: Call, ids: Tensor) -> Tensor:
    """Which positions the call's padding mask shows; all of them where it has none."""
    plan = subject.inputs
    mask = call.tensors.get(plan.padding) if plan.padding else None
    if mask is None or mask.numel() != ids.numel():
        return torch.ones_like(ids, dtype=torch.bool)
    argument = plan.argument(plan.padding)
    shown = mask == 0 if argument.role in _HIDE else mask != 0
    return shown if shown.shape == ids.shape else shown.reshape(ids.shape)


def _as_rows(subject: Subject, ids: Tensor) -> Tensor:
    shape = subject.inputs.primary_argument.shape
    if BATCH not in shape:
        return ids[None]
    return ids if shape.index(BATCH) == 0 else ids.t()


def _find_argument(plan: InputPlan, name: str) -> Argument | None:
    return next((argument for argument in plan.arguments if argument.name == name), None)


def _find_shape(
    plan: InputPlan, name: str, tensor: Tensor, *, like: Tensor | None = None
) -> tuple[str | int, ...]:
    """What the axes of an argument are; one that the plan does not know is read by its shape."""
    argument = _find_argument(plan, name)
    if argument is not None:
        return argument.shape
    if like is not None and tensor.shape[:2] == like.shape:
        return (BATCH, LENGTH, *tensor.shape[2:])
    return (BATCH, *tensor.shape[1:]) if tensor.dim() else ()


def _find_size(subject: Subject, call: Call, size: str) -> int | None:
    for argument in subject.inputs.arguments:
        if size in argument.shape and argument.name in call.tensors:
            return int(call.tensors[argument.name].shape[argument.shape.index(size)])
    return None

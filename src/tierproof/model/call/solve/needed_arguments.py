"""Add arguments that a failure asked for: an optional one that was None, or a dict of several tensors."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace

import torch

from tierproof.model.call.forward_signature import ForwardSignature
from tierproof.model.call.input_plan import BATCH, LENGTH, TARGET_LENGTH, Argument, InputPlan
from tierproof.model.call.layout import Slot
from tierproof.model.call.solve.lesson import Keys, Lesson, Needed
from tierproof.model.call.solve.parameter_choices import list_masks

_IDS = re.compile(r"(^|_)ids?$|token|index|idx")
_CATEGORIES = re.compile(r"cat(eg\w*)?$|ids?$|tokens?$|labels?$", re.IGNORECASE)
# Something for each pair of positions.
_PAIRS = re.compile(r"edge|pair|adj|dist", re.IGNORECASE)
_MOST_ADDED = 6


def add_needed(plan: InputPlan, lesson: Lesson, signature: ForwardSignature) -> Iterator[InputPlan]:
    """Yield plans with the argument that the lesson names, or with each optional one that was not passed."""
    if isinstance(lesson, Keys):
        yield from _pack_keys(plan, lesson)
    if not isinstance(lesson, Needed) or plan.style == "mapping" or plan.layout:
        return
    passed = {argument.name for argument in plan.arguments}
    names = [lesson.name] if lesson.name else list(signature.optional)
    ordered = sorted((n for n in names if n in signature and n not in passed), key=lambda n: "mask" not in n)
    for name in ordered[:_MOST_ADDED]:
        for added in _list_added(name, plan):
            yield replace(plan, arguments=(*plan.arguments, added), style="keyword")


def _list_added(name: str, plan: InputPlan) -> list[Argument]:
    if "mask" in name:
        return [choice.arguments[0] for choice in list_masks(name, two=False)[:2]]
    primary = plan.primary_argument
    shape = tuple(TARGET_LENGTH if size == LENGTH else size for size in primary.shape)
    row = Argument(name, "tokens", (BATCH,), torch.int64, high=2)
    like = replace(primary, name=name, shape=shape)
    ids = Argument(name, "tokens", shape[:2], torch.int64, high=2)
    if _CATEGORIES.search(name) and len(shape) > 1:
        return [ids, like, row]
    if _PAIRS.search(name) and len(shape) == 3 and shape[1] == TARGET_LENGTH:
        width = shape[2]
        return [
            replace(like, shape=each) for each in ((BATCH, LENGTH, LENGTH, width), (BATCH, LENGTH, LENGTH))
        ]
    return [like, ids, row] if primary.dtype.is_floating_point and len(shape) > 1 else [like, row]


def _pack_keys(plan: InputPlan, lesson: Keys) -> Iterator[InputPlan]:
    """Give the parameter a dict in which each key has a tensor of its own kind."""
    if plan.layout or plan.style == "mapping" or lesson.name not in {a.name for a in plan.arguments}:
        return
    base = plan.argument(lesson.name)
    alone = len(plan.arguments) == 1
    names = {key: key if alone else f"{lesson.name}.{key}" for key in lesson.keys}
    inner = tuple(_make_inner(base, key, name) for key, name in names.items())
    primary = next((a.name for a in inner if a.role in ("tokens", "floats", "image")), inner[0].name)
    if alone:
        yield replace(plan, arguments=inner, primary=primary, style="mapping")
        return
    outer = [a for a in plan.arguments if a is not base]
    layout = {a.name: Slot(a.name) for a in outer} | {lesson.name: {k: Slot(n) for k, n in names.items()}}
    chosen = primary if plan.primary == lesson.name else plan.primary
    yield replace(plan, arguments=(*outer, *inner), primary=chosen, style="keyword", layout=layout)


def _make_inner(base: Argument, key: str, name: str) -> Argument:
    if "mask" in key:
        return Argument(name, "mask", (BATCH, LENGTH), torch.int64)
    if _IDS.search(key):
        return Argument(name, "tokens", (BATCH, LENGTH), torch.int64, high=max(base.high, 2))
    return replace(base, name=name)

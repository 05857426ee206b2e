"""Guess inputs of several kinds for one forward pass by its argument names: an image and a text, a noise level."""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterator, Sequence

import torch

from tierproof.model.call.input_plan import BATCH, LENGTH, TARGET_LENGTH, Argument, InputPlan

_IMAGE_NAME = re.compile(r"pixel|image|img|picture|frame|video", re.IGNORECASE)
_TEXT_NAME = re.compile(
    r"text|caption|question|prompt|sentence|word|token|(^|_)(ids?|idx|indices)$", re.IGNORECASE
)
# One number for each row: the step of a diffusion, a noise level, a class to draw.
_ROW_NAME = re.compile(r"^t$|^y$|time|step|sigma|noise_level|class|label", re.IGNORECASE)
_MOST_SHAPES = 24

Shape = tuple[str | int, ...]
# A role, the shape, and what was assumed for it.
Proposal = tuple[str, Shape, tuple[str, ...]]


def propose_mixed_inputs(
    names: Sequence[str],
    shapes: Sequence[Proposal],
    *,
    dtype: torch.dtype,
    vocab_size: int | None,
) -> Iterator[InputPlan]:
    """Propose input plans in which each argument has its own kind; none if no argument name suggests a kind.

    Args:
        names: of the required arguments, in order.
        shapes: proposals for an argument of unknown kind, the most likely first.
        dtype: of floats.
        vocab_size: declared, or None.
    """
    if len(names) < 2 or not any(
        pattern.search(n) for n in names for pattern in (_IMAGE_NAME, _TEXT_NAME, _ROW_NAME)
    ):
        return
    primary = next((name for name in names if not _ROW_NAME.search(name)), names[0])
    choices = [_list_kinds(name, shapes, first=name == primary) for name in names]
    for chosen in itertools.islice(itertools.product(*choices), _MOST_SHAPES * len(names)):
        arguments = tuple(
            Argument(name, role, shape, dtype)
            if role in ("image", "floats")
            else Argument(name, role, shape, torch.int64, high=2 if shape == (BATCH,) else vocab_size or 2)
            for name, (role, shape, _) in zip(names, chosen, strict=True)
        )
        notes = tuple(dict.fromkeys(note for _, _, assumed in chosen for note in assumed))
        yield InputPlan(arguments, primary, "keyword", assumptions=notes)


def _list_kinds(name: str, shapes: Sequence[Proposal], *, first: bool) -> list[Proposal]:
    images = [proposal for proposal in shapes if proposal[0] == "image"]
    text: Shape = (BATCH, LENGTH if first else TARGET_LENGTH)
    if _IMAGE_NAME.search(name):
        return images[:4]
    if _ROW_NAME.search(name) and not first:
        return [("tokens", (BATCH,), ()), ("floats", (BATCH,), ())]
    if _TEXT_NAME.search(name):
        return [("tokens", text, ())]
    return [*images[:2], *shapes][:_MOST_SHAPES] if first else [*shapes][:4]

"""Part (v): what the checks say of healthy models when a person gives inputs of three rows, at random and legal.

The verdict has to be the one without them, or better.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from known_errors import compare_with_known
from zoo_sweep import Record, prepare_process, sweep

if TYPE_CHECKING:
    from torch import Tensor

    from zoo.healthy import ZooModel

_FOLDER = Path(__file__).resolve().parent / ".zoo"
SEED = 4


def run() -> tuple[str, bool]:
    """The counts over the whole zoo, and whether no error is new."""
    prepare_process()
    from zoo.healthy import list_zoo

    _FOLDER.mkdir(exist_ok=True)
    return summarize(sweep(list(give_inputs(list_zoo())), _FOLDER / "given.jsonl", seeds=(SEED,)))


def give_inputs(models: Sequence[ZooModel]) -> Iterator[ZooModel]:
    """Each model with a way to draw its inputs."""
    for model in models:
        yield replace(model, draw_inputs=partial(_draw, model))


def _draw(model: ZooModel, seed: int) -> dict[str, Tensor]:
    """Tensors of three rows and a length near the one that the checks choose."""
    from tierproof.model.describe.prepare_subject import prepare_subject

    subject = prepare_subject(model.build(seed))
    inputs = subject.inputs
    length = inputs.clip_length(inputs.default_length - 1)
    batch = 3 if inputs.has_batch else None
    return dict(subject.make_call(batch=batch, length=length, target_length=length, seed=seed).tensors)


def summarize(records: Sequence[Record]) -> tuple[str, bool]:
    """How many were judged, and each error that the model does not have without given inputs."""
    from zoo.explained import EXPLAINED, EXPLAINED_BY_ITS_CACHE, RAISING_BY_THEIR_CACHE

    found = compare_with_known(records, EXPLAINED | EXPLAINED_BY_ITS_CACHE, RAISING_BY_THEIR_CACHE)
    head = (
        f"{len(records)} healthy models, each with random inputs of three rows: {found.describe()}.\n"
        f"Refused, as the model itself raises with its default use_cache=True: {', '.join(found.refused) or 'none'}."
    )
    return "\n".join([head, *found.problems]), not found.problems

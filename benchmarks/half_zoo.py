"""Part (w): what the checks say of healthy models whose weights are bfloat16, as libraries load them by default.

The verdict has to be the one on the same model in float32.
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
    from torch import Tensor, nn

    from zoo.healthy import ZooModel

_FOLDER = Path(__file__).resolve().parent / ".zoo"


def run() -> tuple[str, bool]:
    """The counts over the whole zoo, and whether no error is new."""
    prepare_process()
    from zoo.healthy import list_zoo

    _FOLDER.mkdir(exist_ok=True)
    return summarize(sweep(list(halve(list_zoo())), _FOLDER / "half.jsonl"))


def halve(models: Sequence[ZooModel]) -> Iterator[ZooModel]:
    """Each model with its weights and its inputs in bfloat16."""
    for model in models:
        draw = None if model.draw_inputs is None else partial(_draw, model)
        yield replace(model, build=partial(_build, model), draw_inputs=draw)


def _build(model: ZooModel, seed: int) -> nn.Module:
    return model.build(seed).bfloat16()


def _draw(model: ZooModel, seed: int) -> dict[str, Tensor]:
    assert model.draw_inputs is not None
    drawn = model.draw_inputs(seed)
    return {name: value.bfloat16() if value.is_floating_point() else value for name, value in drawn.items()}


def summarize(records: Sequence[Record]) -> tuple[str, bool]:
    """How many were judged, and each error that the model does not have in float32."""
    from zoo.explained import EXPLAINED, RAISING_IN_BFLOAT16

    found = compare_with_known(records, EXPLAINED, RAISING_IN_BFLOAT16)
    head = (
        f"{len(records)} healthy models in bfloat16: {found.describe()}.\n"
        f"Refused, as the model itself raises in bfloat16 on the CPU: {', '.join(found.refused) or 'none'}."
    )
    return "\n".join([head, *found.problems]), not found.problems

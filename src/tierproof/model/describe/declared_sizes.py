"""Take the size that a model names over one that merely runs: attributes, or a config, may give an input's size."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace

from tierproof.model.call.input_plan import InputPlan
from tierproof.model.call.model_probe import ModelProbe
from tierproof.model.call.propose.guessed_inputs import find_image_sizes
from tierproof.model.observe.search.input_trial import WorkingCall, try_plan

_LENGTH_NAME = re.compile(
    r"((in|input|seq|sequence|context|ctx|window|lookback|history|hist|past|src|num)_?)"
    r"(len|length|size|steps?|timesteps|window|frames)$"
)
_MOST_TRIALS = 3


def prefer_declared_size(probe: ModelProbe, found: WorkingCall) -> WorkingCall:
    """The call with an image of the size that the model names, where that runs; else the call as it was found.

    A size that the user gave stays.
    """
    primary = found.plan.primary_argument
    if primary.sample is not None or primary.role != "image" or probe.spec.image_size is not None:
        return found
    sizes = find_image_sizes(probe.model)
    if primary.shape[-2:] in sizes:
        return found
    for size in sizes[:_MOST_TRIALS]:
        shape = (*primary.shape[:-2], *size)
        changed = replace(primary, shape=shape, source="of the size that an attribute gives")
        kept = tuple(note for note in found.plan.assumptions if "image_size" not in note)
        tried = try_plan(probe, replace(found.plan.with_argument(changed), assumptions=kept))
        if isinstance(tried, WorkingCall):
            return tried
    return found


def find_declared_length(probe: ModelProbe, plan: InputPlan) -> int | None:
    """A number of steps that the model or its config names, and that runs; None where there is none.

    To be asked where few lengths run: a table that broadcasts lets one of them run, of which parts of the model see
    too little.
    """
    lengths = list(dict.fromkeys(_iterate_lengths(probe)))
    if plan.default_length in lengths:
        return plan.default_length
    tried = (replace(plan, default_length=length) for length in lengths[:_MOST_TRIALS])
    runs = (other.default_length for other in tried if isinstance(try_plan(probe, other), WorkingCall))
    return next(runs, None)


def _iterate_lengths(probe: ModelProbe) -> Iterator[int]:
    for holder in (probe.model, getattr(probe.model, "config", None), getattr(probe.model, "hparams", None)):
        attributes = holder if isinstance(holder, dict) else getattr(holder, "__dict__", {})
        for name, value in attributes.items():
            if _LENGTH_NAME.match(str(name)) and type(value) is int and value > 1:
                yield value

"""Where memory seems to grow, repeat one batch, and see what holds more tensors after each call."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Mapping
from itertools import pairwise
from typing import Any

from torch import Tensor

from tierproof.training.audit.parts.named_values import list_named_values
from tierproof.training.audit.recording.live_tensors import without_earlier_objects
from tierproof.training.audit.recording.step_record import StepRecord
from tierproof.training.audit.trials.audit_evidence import GrowthTrial
from tierproof.training.audit.trials.step_runner import StepRunner

_CALLS = 4


def try_growth(runner: StepRunner, plain: tuple[StepRecord, ...]) -> GrowthTrial | None:
    """A few calls on the first batch, where each of the consecutive ones left more alive; None where none did.

    Batches that differ in size keep different amounts alive. One batch does not.
    """
    later = [record for record in plain if record.updates][1:]
    grows = [b.live_bytes > a.live_bytes or b.live_nodes > a.live_nodes for a, b in pairwise(later)]
    if len(later) < 3 or not all(grows):
        return None
    if not runner.affords(_CALLS + 1, "repeating one batch"):
        return None
    try:
        runner.state.restore()
        runner.run(runner.batch(0))
        before = _count_held(runner)
        with without_earlier_objects():
            records = [runner.run(runner.batch(0), count_live=True) for _ in range(_CALLS)]
    except Exception as error:  # noqa: BLE001 - noted in the evidence
        runner.not_tried.append(f"repeating one batch: the step raised {type(error).__name__}")
        return None
    after = _count_held(runner)
    growing = [name for name, count in after.items() if count >= before.get(name, 0) + _CALLS]
    graphs = [name for name, held in _list_held(runner) if any(each.grad_fn is not None for each in held)]
    return GrowthTrial(tuple(records), tuple(dict.fromkeys([*growing, *graphs])))


def _count_held(runner: StepRunner) -> dict[str, int]:
    return {name: len(held) for name, held in _list_held(runner)}


def _list_held(runner: StepRunner) -> Iterator[tuple[str, list[Tensor]]]:
    """(name, tensors) of each container that the step reaches."""
    for each in list_named_values(runner.step).values:
        tensors = [item for item in _list_items(each.value) if isinstance(item, Tensor)]
        if tensors:
            yield each.name, tensors


def _list_items(value: Any) -> list[Any]:
    if isinstance(value, Mapping):
        return list(value.values())
    if isinstance(value, list | tuple | set | deque):
        return list(value)
    return []

"""Save the training's state after one update, load it into the first state, and compare the next update."""

from __future__ import annotations

import copy
from collections.abc import Callable, Collection
from dataclasses import dataclass
from typing import Any

import torch
from torch import nn

from tierproof.model.preserve.process_state import list_generators
from tierproof.training.audit.parts.plain_variables import PlainVariable, list_changed, list_plain_variables
from tierproof.training.audit.recording.step_record import StepRecord
from tierproof.training.audit.trials.audit_evidence import ResumeTrial
from tierproof.training.audit.trials.step_runner import MOST_CALLS, StepRunner

# Where more calls make one update, trying again with the step's own variables takes too long.
_MOST_CALLS = 2


@dataclass(frozen=True)
class _Saved:
    """What a checkpoint would hold, and what it would not."""

    parts: tuple[Any, ...]
    states: tuple[Any, ...]
    generators: tuple[tuple[Callable[[Any], Any], Any], ...]
    variables: dict[str, PlainVariable]


def try_to_resume(runner: StepRunner, calls_per_update: int) -> ResumeTrial | None:
    """The next updates, gone on and resumed from `state_dict`s and the generator's state; None where nothing updates
    or a part has no `state_dict`. Where the two differ, it is resumed once more with the step's own variables."""
    if not calls_per_update:
        return None
    savable = _list_savable(runner)
    lacking = [type(each).__name__ for each in savable if not hasattr(each, "state_dict")]
    if lacking:
        runner.not_tried.append(f"saving and loading: {', '.join(lacking)} has no state_dict()")
        return None
    # A rate that is set after an update acts in the next one: two are compared, where that costs two calls.
    more = 2 if calls_per_update == 1 and runner.calls + 7 <= MOST_CALLS else calls_per_update
    tries = 3 if calls_per_update <= _MOST_CALLS else 2
    if not runner.affords(calls_per_update + tries * more, "saving and loading"):
        return None
    try:
        runner.state.restore()
        _run_calls(runner, 0, calls_per_update)
        saved = _Saved(
            savable,
            tuple(copy.deepcopy(each.state_dict()) for each in savable),
            tuple((write, read()) for _, read, write in list_generators()),
            _list_variables(runner),
        )
        went_on = _run_calls(runner, calls_per_update, more)
        resumed = _resume(runner, saved, calls_per_update, more)
    except Exception as error:  # noqa: BLE001 - noted in the evidence
        runner.not_tried.append(f"saving and loading raised {type(error).__name__}: {str(error)[:200]}")
        return None
    if resumed.parameters == went_on.parameters or calls_per_update > _MOST_CALLS:
        return ResumeTrial(went_on, resumed)
    runner.state.restore()
    changed = list_changed(_list_variables(runner), saved.variables)
    if changed and _resume(runner, saved, calls_per_update, more, changed).parameters == went_on.parameters:
        return ResumeTrial(went_on, resumed, changed)
    return ResumeTrial(went_on, resumed)


def _list_savable(runner: StepRunner) -> tuple[Any, ...]:
    parts = runner.parts
    scalers = () if parts.scaler is None else (parts.scaler,)
    own = {id(each) for each in (*parts.model.modules(), *parts.optimizers)}
    # Teachers, critics and their optimizers are saved too.
    others = [
        each
        for each in parts.others
        if isinstance(each, nn.Module | torch.optim.Optimizer) and id(each) not in own
    ]
    return (parts.model, *parts.optimizers, *parts.schedulers, *scalers, *others)


def _list_variables(runner: StepRunner) -> dict[str, PlainVariable]:
    return list_plain_variables(runner.step)


def _resume(
    runner: StepRunner, saved: _Saved, first: int, calls: int, carried: Collection[str] = ()
) -> StepRecord:
    """The calls from the `first` on, from the first state with what was saved loaded into it."""
    runner.state.restore()
    for each, state in zip(saved.parts, saved.states, strict=True):
        each.load_state_dict(copy.deepcopy(state))
    for name, variable in _list_variables(runner).items():
        if name in carried:
            variable.write(saved.variables[name].value)
    for write, generator in saved.generators:
        write(generator)
    return _run_calls(runner, first, calls)


def _run_calls(runner: StepRunner, first: int, count: int) -> StepRecord:
    record: Any = None
    for index in range(first, first + count):
        record = runner.run(runner.batch(index))
    assert record is not None
    return record  # type: ignore[no-any-return]

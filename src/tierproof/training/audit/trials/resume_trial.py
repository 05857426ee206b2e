"""Save the training's state after one update, load it into the first state, and compare the next update."""

from __future__ import annotations

import copy
from typing import Any

import torch

from tierproof.training.audit.recording.step_record import StepRecord
from tierproof.training.audit.trials.audit_evidence import ResumeTrial
from tierproof.training.audit.trials.step_runner import StepRunner


def try_to_resume(runner: StepRunner, calls_per_update: int) -> ResumeTrial | None:
    """The second update, gone on and resumed from `state_dict`s and the generator's state; None where nothing updates
    or a part has no `state_dict`."""
    if not calls_per_update:
        return None
    savable = [runner.parts.model, *runner.parts.optimizers, *runner.parts.schedulers]
    if runner.parts.scaler is not None:
        savable.append(runner.parts.scaler)
    lacking = [type(each).__name__ for each in savable if not hasattr(each, "state_dict")]
    if lacking:
        runner.not_tried.append(f"saving and loading: {', '.join(lacking)} has no state_dict()")
        return None
    runner.state.restore()
    _run_calls(runner, 0, calls_per_update)
    saved = [copy.deepcopy(each.state_dict()) for each in savable]
    generator = torch.get_rng_state()
    went_on = _run_calls(runner, calls_per_update, calls_per_update)
    runner.state.restore()
    try:
        for each, state in zip(savable, saved, strict=True):
            each.load_state_dict(state)
    except Exception as error:  # noqa: BLE001 - noted in the evidence
        runner.not_tried.append(f"loading a saved state raised {type(error).__name__}: {str(error)[:200]}")
        return None
    torch.set_rng_state(generator)
    return ResumeTrial(went_on, _run_calls(runner, calls_per_update, calls_per_update))


def _run_calls(runner: StepRunner, first: int, count: int) -> StepRecord:
    record: Any = None
    for index in range(first, first + count):
        record = runner.run(runner.batch(index))
    assert record is not None
    return record  # type: ignore[no-any-return]

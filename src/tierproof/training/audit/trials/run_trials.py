"""Run the steps that the rules look at: consecutive ones first, then single ones from the first state again."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor

from tierproof.training.audit.batches.batch_tensors import (
    count_micro_batches,
    count_rows,
    list_tensors,
    replace_tensors,
    take_rows,
)
from tierproof.training.audit.batches.padded_positions import PaddedPositions, find_padded_positions
from tierproof.training.audit.parts.audit_error import AuditError
from tierproof.training.audit.parts.named_values import list_one_way
from tierproof.training.audit.parts.training_parts import AveragedWeights, TrainingParts
from tierproof.training.audit.recording.live_tensors import without_earlier_objects
from tierproof.training.audit.recording.record_step import record_initial
from tierproof.training.audit.recording.source_line import locate_error
from tierproof.training.audit.recording.step_event import EventKind
from tierproof.training.audit.recording.step_record import StepRecord
from tierproof.training.audit.trials.audit_evidence import AuditEvidence, ChangedTrial
from tierproof.training.audit.trials.describe_parts import describe_optimizers, describe_schedulers
from tierproof.training.audit.trials.find_layout import find_layout
from tierproof.training.audit.trials.growth_trial import try_growth
from tierproof.training.audit.trials.resume_trial import try_to_resume
from tierproof.training.audit.trials.row_trial import try_one_row
from tierproof.training.audit.trials.step_runner import StepRunner
from tierproof.training.audit.trials.training_state import TrainingState
from tierproof.training.audit.trials.try_cut_parameters import find_suspects, try_cut_parameters
from tierproof.training.audit.trials.visible_trial import try_visible_tokens

# Updates that are run one after the other, and calls of the step until then: one more than ten, after which many loops
# evaluate.
_UPDATES, _MOST_CALLS = 11, 12

Progress = Callable[[str], None]


def run_trials(
    step: Callable[[Any], Any],
    batches: Sequence[Any],
    parts: TrainingParts,
    state: TrainingState,
    progress: Progress,
) -> AuditEvidence:
    """Run every trial.

    Args:
        step: one training step, or one of the calls that make one up.
        batches: its arguments, at least one.
        parts: what it trains.
        state: its first state, to return to.
        progress: called with what is done next.

    Raises:
        AuditError: the step raises on the first batches, or never updates anything.
    """
    runner = StepRunner(step, batches, parts, state)
    progress("running consecutive steps")
    state.restore()
    initial = record_initial(parts)
    with without_earlier_objects():
        plain, calls = _run_plain(runner)
    _require_training(parts, initial, plain)
    batch = runner.batch(0)
    evidence = AuditEvidence(
        facts=parts.facts,
        parameters=parts.list_parameters(),
        optimizers=describe_optimizers(parts),
        schedulers=(),
        averages=tuple(average.name for average in parts.averages),
        shared=tuple(_shares_memory(parts, average) for average in parts.averages),
        scaler=None if parts.scaler is None else bool(getattr(parts.scaler, "_enabled", False)),
        calls_per_update=calls,
        initial=initial,
        plain=plain,
        batch_tensors=dict(list_tensors(batch)),
        rows=count_rows(batch),
        micro_batches=count_micro_batches(batch),
        padding=find_padded_positions(batch),
        one_way=list_one_way(step),
    )
    progress("repeating the first step")
    evidence = replace(evidence, again=_try_again(runner))
    evidence = replace(evidence, growth=try_growth(runner, plain))
    evidence = _try_quiet(runner, evidence, progress)
    progress("saving, loading and going on")
    evidence = replace(evidence, resumed=try_to_resume(runner, calls))
    state.restore()
    schedulers = describe_schedulers(parts)
    state.restore()
    return replace(evidence, schedulers=schedulers, not_tried=tuple(runner.not_tried))


def _shares_memory(parts: TrainingParts, average: AveragedWeights) -> bool:
    own = {each.data_ptr() for each in parts.model.parameters() if each.numel()}
    return any(each.data_ptr() in own for each in average.read().values() if each.numel())


def _run_plain(runner: StepRunner) -> tuple[tuple[StepRecord, ...], int]:
    """Consecutive calls, and how many of them make one update."""
    records: list[StepRecord] = []
    updates = calls_per_update = 0
    while updates < _UPDATES and len(records) < _MOST_CALLS:
        try:
            records.append(runner.run(runner.batch(len(records)), count_live=True))
        except AuditError:
            raise
        except Exception as error:
            place = locate_error(error)
            raise AuditError(
                f"the step raises {type(error).__name__} in call {len(records) + 1}: {str(error)[:300]}"
                + (f" ({place})" if place else ""),
                hint="Run step(batch) yourself first; it must do one whole training step and return its loss.",
            ) from error
        stepped = bool(records[-1].list_events(EventKind.UPDATE))
        updates += stepped
        if stepped and not calls_per_update:
            calls_per_update = len(records)
    return tuple(records), calls_per_update


def _require_training(parts: TrainingParts, initial: StepRecord, plain: Sequence[StepRecord]) -> None:
    """A step without an optimizer must change the parameters itself, as tutorials do by hand."""
    if not parts.optimizers and plain[-1].parameters == initial.parameters:
        raise AuditError(
            "no optimizer was found in what the step reaches",
            hint="Pass it: tp.audit(step, batches, optimizer=...).",
        )


def _try_again(runner: StepRunner) -> StepRecord | None:
    runner.state.restore()
    try:
        return runner.run(runner.batch(0))
    except Exception as error:  # noqa: BLE001 - noted in the evidence
        runner.not_tried.append(
            f"the first step once more: it raised {type(error).__name__}: {str(error)[:200]}"
        )
        return None


def _try_quiet(runner: StepRunner, evidence: AuditEvidence, progress: Progress) -> AuditEvidence:
    """The trials that compare a step without dropout with the same step on a changed batch or model."""
    progress("running steps without dropout")
    what = "steps without dropout"
    quiet = runner.attempt(what, runner.batch(0), keep_scores=True)
    other = None if quiet is None else runner.attempt(what, runner.batch(0), seed=runner.state.seed ^ 0x5EED)
    if quiet is None or other is None:
        return evidence
    drawing = not _agree(quiet, other)
    again = runner.attempt(what, runner.batch(0)) if drawing else quiet
    if again is None or not _agree(quiet, again):
        runner.not_tried.append("comparing changed batches: the step cannot be repeated")
        return evidence
    evidence = replace(evidence, quiet=quiet, drawing=drawing)
    rows = evidence.rows
    if rows is not None and rows >= 2:
        evidence = replace(evidence, row=try_one_row(runner, quiet, evidence.batch_tensors, rows))
    if drawing:
        runner.not_tried.append("another order of the rows: the step draws random numbers beside dropout")
    elif rows is not None and rows >= 2:
        progress("changing the order of rows")
        order = torch.arange(rows).roll(1)
        permuted = runner.attempt(
            "another order of the rows", take_rows(runner.batch(0), order), keep_scores=True
        )
        evidence = replace(evidence, layout=find_layout(runner, quiet, permuted))
        doubled = runner.attempt("every row twice", take_rows(runner.batch(0), torch.arange(rows).repeat(2)))
        evidence = replace(evidence, permuted=permuted, doubled=doubled)
    if evidence.padding is not None:
        progress("changing padding")
        evidence = replace(evidence, padded=_change_padding(runner, evidence.padding))
    progress("looking for targets in the inputs")
    evidence = replace(evidence, visible=try_visible_tokens(runner, quiet, evidence.batch_tensors))
    suspects = find_suspects(evidence)
    if suspects:
        progress("moving parameters without a gradient")
        evidence = replace(evidence, cut=try_cut_parameters(runner, suspects))
    return evidence


def _agree(first: StepRecord, second: StepRecord) -> bool:
    """Whether two steps minimised and reported the same loss and had the same gradients, to rounding."""
    pairs = ((first.minimised, second.minimised), (first.reported, second.reported))
    for value, other in pairs:
        if value is None or other is None:
            if value is not other:
                return False
        elif not math.isclose(value, other, rel_tol=1e-5, abs_tol=1e-8):
            return False
    for one, two in zip(first.backwards, second.backwards, strict=False):
        for path, gradient in one.after.items():
            twin = two.after.get(path)
            if gradient is not None and twin is not None and gradient.differs(twin, 1e-3):
                return False
    return True


def _change_padding(runner: StepRunner, padding: PaddedPositions) -> tuple[ChangedTrial, ...]:
    trials = []
    for name in padding.tensors:

        def change(path: str, tensor: Tensor, name: str = name) -> Tensor:
            if path != name:
                return tensor
            positions = padding.positions.to(tensor.device) & (tensor >= 0)
            others = tensor[tensor >= 0].flatten()
            drawn = others[torch.arange(int(positions.sum())) * 7 % max(1, len(others))]
            return tensor.masked_scatter(positions, drawn)

        before = dict(list_tensors(runner.batch(0)))[name]
        batch = replace_tensors(runner.batch(0), change)
        if torch.equal(dict(list_tensors(batch))[name], before):
            continue
        record = runner.attempt(f"other values at the padding of {name}", batch)
        if record is not None:
            trials.append(ChangedTrial(name, record))
    return tuple(trials)

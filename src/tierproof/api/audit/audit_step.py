"""Run an audit: find the parts, record the steps, judge them, and put everything back."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import nn

from tierproof._version import __version__
from tierproof.api.check_loaded import describe_environment
from tierproof.api.show.progress import ProgressOption, open_progress
from tierproof.core.report import ModelSummary, Report, TraitEvidence
from tierproof.core.standing import Fact, Standing
from tierproof.errors import UsageError
from tierproof.model.load.seeding import seeded
from tierproof.model.preserve.process_state import keep_generators
from tierproof.model.sizes.parameter_count import count_parameters
from tierproof.reporters.register import register_all
from tierproof.training.audit.batches.compare_sets import compare_sets
from tierproof.training.audit.judge_step import judge_step
from tierproof.training.audit.parts.find_parts import GivenParts, find_parts
from tierproof.training.audit.parts.named_values import list_named_values
from tierproof.training.audit.parts.training_parts import TrainingParts
from tierproof.training.audit.steps.composed_step import ComposedStep
from tierproof.training.audit.steps.trainer_step import is_trainer, lend_trainer, prepare_trainer
from tierproof.training.audit.trials.run_trials import run_trials
from tierproof.training.audit.trials.training_state import preserve_training

register_all()

_PHASES = 8


@dataclass(frozen=True)
class AuditRequest:
    """What was asked; see `tierproof.audit`."""

    step: Any = None
    batches: Iterable[Any] | None = None
    held_out: Iterable[Any] | None = None
    model: nn.Module | None = None
    optimizer: Any = None
    scheduler: Any = None
    scaler: Any = None
    ema: Any = None
    loss_fn: Callable[[Any, Any], Any] | None = None
    accumulate: int = 1
    seed: int = 0
    progress: ProgressOption = True
    target: str = ""


@keep_generators()  # a loader draws from them as its batches are taken
def run_audit(request: AuditRequest) -> Report:
    """Audit; see `tierproof.audit`, which this is behind.

    Raises:
        TierproofError: the step raises, or a part of it cannot be found.
        KeyboardInterrupt: after everything was restored; a line on stderr says so.
    """
    # Seeded, so that the same batches come each time; a trainer makes its optimizer before anything is recorded.
    with seeded(request.seed), lend_trainer(request.step):
        return _audit(request)


def _audit(request: AuditRequest) -> Report:
    started = time.monotonic()
    step, batches = _prepare_step(request)
    reached = list_named_values(step)
    parts = find_parts(step, _read_given(request), reached)
    with open_progress(request.progress) as show:
        done = 0

        def tell(name: str) -> None:
            nonlocal done
            show(min(done, _PHASES), _PHASES, name)
            done += 1

        try:
            with preserve_training(parts, reached, batches, request.seed) as state:
                evidence = run_trials(step, batches, parts, state, tell)
        except KeyboardInterrupt:
            message = "tierproof: interrupted; everything was restored, and there is no verdict."
            print(message, file=sys.stderr)  # noqa: T201
            raise
        tell("judging")
        if request.held_out is not None:
            evidence = replace(evidence, split=compare_sets(batches, list(request.held_out)))
        results = judge_step(evidence)
    device = next((each.device for each in parts.model.parameters()), torch.device("cpu"))
    return Report(
        version=__version__,
        target=request.target or _name_step(step),
        model=_summarize(parts, evidence.not_tried),
        environment=describe_environment(device),
        seed=request.seed,
        duration_s=time.monotonic() - started,
        results=results,
    )


def _prepare_step(request: AuditRequest) -> tuple[Callable[[Any], Any], list[Any]]:
    if is_trainer(request.step):
        step, groups = prepare_trainer(request.step, request.batches)
        return step, list(groups)
    if request.batches is None:
        raise UsageError("pass batches", hint="tp.audit(step, batches): two or more, as the step takes them.")
    batches = list(request.batches)
    if not batches:
        raise UsageError("batches is empty", hint="Pass two or more batches, as the step takes them.")
    if callable(request.step):
        return request.step, batches
    if request.step is not None:
        raise UsageError(
            f"step is {type(request.step).__name__}, which cannot be called",
            hint="step(batch) does one whole training step and returns its loss.",
        )
    if request.model is None or request.optimizer is None:
        raise UsageError(
            "pass a step, or a model with its optimizer",
            hint="tp.audit(step, batches), or tp.audit(model=..., optimizer=..., loss_fn=..., batches=[...]).",
        )
    if isinstance(request.optimizer, Iterable):
        raise UsageError(
            "a step that is made of a model takes one optimizer", hint="Write the step: tp.audit(step, …)."
        )
    made = ComposedStep(
        request.model, request.optimizer, request.loss_fn, request.scheduler, request.accumulate
    )
    return made, batches


def _read_given(request: AuditRequest) -> GivenParts:
    optimizers = request.optimizer
    if optimizers is None:
        listed: tuple[Any, ...] = ()
    else:
        listed = tuple(optimizers) if isinstance(optimizers, Iterable) else (optimizers,)
    schedulers = () if request.scheduler is None else (request.scheduler,)
    return GivenParts(request.model, listed, schedulers, request.scaler, request.ema)


def _name_step(step: Any) -> str:
    return str(getattr(step, "__qualname__", "") or type(step).__name__)


def _summarize(parts: TrainingParts, not_tried: tuple[str, ...]) -> ModelSummary:
    count = count_parameters(parts.model)
    return ModelSummary(
        class_name=type(parts.model).__name__,
        parameters=count.parameters,
        trainable=count.trainable,
        bytes=count.bytes,
        kind="training step",
        evidence=tuple(_describe_fact(fact) for fact in parts.facts),
        assumptions=not_tried,
    )


def _describe_fact(fact: Fact) -> TraitEvidence:
    if fact.standing is Standing.MEASURED:
        return TraitEvidence(fact.name, measured=fact.value)
    return TraitEvidence(fact.name, declared=fact.value)

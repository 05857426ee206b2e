"""Check a module that is loaded: choose the checks, run them on it, and put it back as it came."""

from __future__ import annotations

import platform
import sys
import time
from collections.abc import Sequence
from dataclasses import replace

import torch
from torch import nn

from tierproof._version import __version__
from tierproof.analysis.examples.read_examples import read_examples
from tierproof.api.check_options import CheckOptions
from tierproof.api.prepare_loaded import prepare_loaded
from tierproof.api.show.progress import open_progress
from tierproof.checks import registry
from tierproof.checks.check import Check, Deadline
from tierproof.checks.needed_traits import find_lacking
from tierproof.checks.plan_checks import CheckPlan, plan_checks
from tierproof.checks.runner import run_checks
from tierproof.core.check_result import CheckResult, Outcome
from tierproof.core.report import Environment, ModelSummary, Report
from tierproof.model.costs.step_time import measure_step_time
from tierproof.model.describe.given_model import refuse_cycle, refuse_uncheckable, unwrap_model
from tierproof.model.describe.subject import Subject
from tierproof.model.load.load import LoadedModel
from tierproof.model.preserve.preserve import preserve
from tierproof.model.sizes.device_error import DeviceError
from tierproof.model.sizes.parameter_count import count_parameters
from tierproof.model.sizes.thread_count import limit_threads
from tierproof.model.sizes.wide_products import widen_products
from tierproof.reporters.register import register_all

register_all()

# The rest of a budget is for the call that is under way at the deadline, and for putting the model back.
_SHARE_TO_USE = 0.95


def check_loaded(loaded: LoadedModel, options: CheckOptions) -> Report:
    """Validate a loaded model; see `tierproof.check`, which this is behind.

    Raises:
        TierproofError: the model cannot be called or judged; the message says what to do.
        KeyboardInterrupt: after the model was restored; a line on stderr says so. Its attribute `report` holds the
            results of the checks that were finished, if any.
    """
    started = time.monotonic() if options.started_s is None else options.started_s
    tier = registry.choose_tier(options.tier, options.only)
    checks = registry.select_checks(
        registry.load_checks(tier), tier=tier, only=options.only, skip=options.skip
    )
    unwrapped = unwrap_model(loaded.model)
    loaded = replace(loaded, model=unwrapped.model, assumptions=(*loaded.assumptions, *unwrapped.notes))
    refuse_uncheckable(loaded.model)
    refuse_cycle(loaded.model)
    device = choose_device(loaded.model, options.device)
    count = count_parameters(loaded.model).parameters
    deadline = Deadline(None if options.budget_s is None else started + _SHARE_TO_USE * options.budget_s)
    finished: list[CheckResult] = []
    with loaded.scope, limit_threads(count), open_progress(options.progress) as show:
        try:
            with preserve(loaded.model) as snapshot:
                show(0, 0, "working out the inputs")
                with widen_products(loaded.model):
                    subject, notes = prepare_loaded(loaded, options, device, snapshot)
                    read_examples(
                        subject, options.examples, options.seed
                    )  # refuses what is no input of this model
                    plan = _plan(subject, checks, options, time.monotonic() - started)
                snapshot.restore(full=False)
                run_checks(
                    subject,
                    checks,
                    snapshot,
                    seed=options.seed,
                    deadline=deadline,
                    progress=show,
                    dropped=plan.dropped,
                    beyond_budget=plan.beyond_budget,
                    shortened=plan.shortened,
                    expected_s=plan.expected_s,
                    examples=options.examples,
                    finished=finished,
                )
        except KeyboardInterrupt as error:
            kept = ""
            if finished:
                finished += [_skip_interrupted(check) for check in checks[len(finished) :]]
                error.report = _write(subject, notes, finished, options, started)  # type: ignore[attr-defined]
                kept = " What was finished is kept: `sys.last_value.report`, or `report` of the exception."
            print(  # noqa: T201
                f"tierproof: interrupted; the model was restored, and there is no verdict.{kept}",
                file=sys.stderr,
            )
            raise
    return _write(subject, notes, finished, options, started)


def _write(
    subject: Subject,
    notes: tuple[str, ...],
    results: Sequence[CheckResult],
    options: CheckOptions,
    started: float,
) -> Report:
    return Report(
        version=__version__,
        target=subject.target,
        model=summarize_model(subject, notes),
        environment=describe_environment(subject.device),
        seed=options.seed,
        duration_s=time.monotonic() - started,
        results=tuple(results),
    )


def _skip_interrupted(check: Check) -> CheckResult:
    return CheckResult(
        check.code,
        check.name,
        check.tier,
        Outcome.SKIPPED,
        reason="the run was interrupted",
        out_of_time=True,
    )


def _plan(subject: Subject, checks: Sequence[Check], options: CheckOptions, spent_s: float) -> CheckPlan:
    """Choose what runs; with a budget, by the time that one training step takes here."""
    lacking = {check.code: find_lacking(check, subject) for check in checks}
    step_s = 0.0
    if options.budget_s is not None and not all(lacking.values()):
        began = time.perf_counter()
        step_s = measure_step_time(subject, options.seed).seconds
        spent_s += time.perf_counter() - began
    return plan_checks(
        checks,
        step_s=step_s,
        budget_s=options.budget_s,
        spent_s=spent_s,
        named=[code.upper() for code in options.only],
        lacking=lacking,
    )


def summarize_model(subject: Subject, assumptions: tuple[str, ...] = ()) -> ModelSummary:
    """What the report says of the model."""
    count = count_parameters(subject.model)
    return ModelSummary(
        class_name=type(subject.model).__name__,
        parameters=count.parameters,
        trainable=count.trainable,
        bytes=count.bytes,
        kind=subject.traits.kind,
        traits=subject.traits.names,
        evidence=subject.traits.evidence,
        inputs=tuple(argument.describe() for argument in subject.inputs.arguments),
        assumptions=(*assumptions, *subject.inputs.assumptions),
    )


def describe_environment(device: torch.device) -> Environment:
    """Python, torch and the device, with a GPU's name."""
    name = str(device)
    if device.type == "cuda":
        name = f"{device} ({torch.cuda.get_device_name(device)})"
    return Environment(platform.python_version(), torch.__version__, name)


def choose_device(model: nn.Module, device: str | None) -> torch.device:
    """The device that was asked for; where the first parameter lies when none was.

    Raises:
        DeviceError: it is not one of cpu, cuda and cuda:N, or this machine has no such device.
    """
    if device is None:
        parameter = next(model.parameters(), None)
        return parameter.device if parameter is not None else torch.device("cpu")
    try:
        place = torch.device(device)
    except RuntimeError as error:
        raise DeviceError(f"unknown device {device!r}", hint="Use cpu, cuda or cuda:N.") from error
    if place.type not in ("cpu", "cuda"):
        raise DeviceError(f"device {device!r} is not supported", hint="Use cpu, cuda or cuda:N.")
    if place.type == "cuda" and not torch.cuda.is_available():
        raise DeviceError(
            "this machine has no CUDA device",
            hint="Leave out --device, or choose a GPU runtime in the notebook.",
        )
    if place.type == "cuda" and (place.index or 0) >= torch.cuda.device_count():
        raise DeviceError(
            f"{device} does not exist: this machine has {torch.cuda.device_count()} CUDA device(s)",
            hint="Use cuda, or a smaller number.",
        )
    return place

"""`tierproof.check`: validate a model and give a report."""

from __future__ import annotations

import platform
import sys
import time
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from tierproof._optional import require
from tierproof._version import __version__
from tierproof.api.show.progress import ProgressOption, open_progress
from tierproof.core.report import Environment, ModelSummary, Report
from tierproof.errors import DeviceError, UsageError
from tierproof.reporters.register import register_all

if TYPE_CHECKING:
    import torch
    from torch import nn

    from tierproof.checks.check import Check
    from tierproof.checks.plan_checks import CheckPlan
    from tierproof.model.call.spec import ModelSpec
    from tierproof.model.describe.subject import Subject
    from tierproof.model.load.load import LoadedModel

register_all()


def check(
    model: nn.Module | str,
    *,
    tier: int | str = 1,
    inputs: Any = None,
    spec: ModelSpec | None = None,
    only: Sequence[str] = (),
    skip: Sequence[str] = (),
    seed: int = 0,
    budget_s: float | None = None,
    device: str | None = None,
    progress: ProgressOption = True,
    target: str = "",
    assumptions: Sequence[str] = (),
) -> Report:
    """Validate a model. It is left as it came, bit for bit, also after an error or Ctrl-C.

    Args:
        model: an nn.Module, or a TARGET as on the command line.
        tier: a tier that is built, or "all".
        inputs: a tensor, a tuple, a dict, or a function that returns one; worked out when None.
        spec: what you declare about the model.
        only, skip: check codes or prefixes of them.
        seed: of every random draw.
        budget_s: seconds for everything; the least valuable checks are left out, with the reason.
        device: "cpu" or "cuda"; where the model lies by default.
        progress: a bar in a terminal or notebook, or a function of (done, total, name).
        target: the name the report carries.
        assumptions: notes from loading that the report shows.

    Raises:
        TierproofError: the model cannot be loaded, called or judged; the message says what to do.
        KeyboardInterrupt: after the model was restored; a line on stderr says so.
    """
    require("torch", feature="to check a model")
    if isinstance(model, str):
        loaded = _load(model, seed)
        with loaded.scope:
            return check(
                loaded.model,
                tier=tier,
                inputs=inputs,
                spec=spec,
                only=only,
                skip=skip,
                seed=seed,
                budget_s=budget_s,
                device=device,
                progress=progress,
                target=target or model,
                assumptions=(*assumptions, *loaded.assumptions),
            )
    from tierproof.checks.check import Deadline
    from tierproof.checks.registry import load_checks, select_checks
    from tierproof.checks.runner import run_checks
    from tierproof.model.describe.batch_norm_statistics import settle_batch_norms
    from tierproof.model.describe.prepare_subject import prepare_subject, refuse_cycle, refuse_empty
    from tierproof.model.preserve.preserve import preserve
    from tierproof.model.sizes.thread_count import limit_threads

    started = time.perf_counter()
    _refuse_bad_options(seed, budget_s)
    checks = select_checks(load_checks(), tier=tier, only=_as_codes(only), skip=_as_codes(skip))
    refuse_empty(model)
    refuse_cycle(model)
    place = _find_device(model, device)
    deadline = Deadline.after(budget_s)
    with limit_threads(model), open_progress(progress) as show:
        try:
            with preserve(model) as snapshot:
                show(0, 0, "working out the inputs")
                if device is not None:
                    model.to(place)
                    snapshot.note_change()
                subject = prepare_subject(
                    model, target=target, spec=spec, inputs=inputs, device=place, seed=seed
                )
                snapshot.restore(full=False)
                if settled := settle_batch_norms(subject, seed):
                    assumptions = (*assumptions, settled)
                    snapshot.note_change()
                spent_s = time.perf_counter() - started
                plan = _plan(subject, checks, _as_codes(only), seed, budget_s, spent_s)
                snapshot.restore(full=False)
                results = run_checks(
                    subject,
                    checks,
                    snapshot,
                    seed=seed,
                    deadline=deadline,
                    progress=show,
                    dropped=plan.dropped,
                )
        except KeyboardInterrupt:
            print("tierproof: interrupted; the model was restored and nothing was judged.", file=sys.stderr)  # noqa: T201
            raise
    return Report(
        version=__version__,
        target=subject.target,
        model=summarize_model(subject, tuple(assumptions)),
        environment=describe_environment(place),
        seed=seed,
        duration_s=time.perf_counter() - started,
        results=results,
    )


def _plan(
    subject: Subject,
    checks: Sequence[Check],
    only: Sequence[str],
    seed: int,
    budget_s: float | None,
    spent_s: float,
) -> CheckPlan:
    """Choose what runs; with a budget, by the time that one training step takes here."""
    from tierproof.checks.needed_traits import find_lacking
    from tierproof.checks.plan_checks import plan_checks
    from tierproof.model.costs.step_time import measure_step_time

    lacking = {check.code: find_lacking(check, subject) for check in checks}
    step_s = 0.0
    if budget_s is not None and not all(lacking.values()):
        began = time.perf_counter()
        step_s = measure_step_time(subject, seed).seconds
        spent_s += time.perf_counter() - began
    return plan_checks(
        checks,
        step_s=step_s,
        budget_s=budget_s,
        spent_s=spent_s,
        named=[code.upper() for code in only],
        lacking=lacking,
    )


def summarize_model(subject: Subject, assumptions: tuple[str, ...] = ()) -> ModelSummary:
    """What the report says of the model."""
    from tierproof.model.sizes.parameter_count import count_parameters

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
    import torch

    name = str(device)
    if device.type == "cuda":
        name = f"{device} ({torch.cuda.get_device_name(device)})"
    return Environment(platform.python_version(), torch.__version__, name)


def _load(target: str, seed: int) -> LoadedModel:
    from tierproof.model.load.load import LoadOptions, load_target

    return load_target(target, LoadOptions(seed=seed))


def _find_device(model: nn.Module, device: str | None) -> torch.device:
    import torch

    if device is None:
        parameter = next(model.parameters(), None) if isinstance(model, torch.nn.Module) else None
        return parameter.device if parameter is not None else torch.device("cpu")
    try:
        place = torch.device(device)
    except RuntimeError as error:
        raise DeviceError(f"unknown device {device!r}", hint="Use cpu, cuda or cuda:N.") from error
    if place.type not in ("cpu", "cuda"):
        raise DeviceError(f"device {device!r} is not supported", hint="Use cpu, cuda or cuda:N.")
    if place.type == "cuda" and not torch.cuda.is_available():
        raise DeviceError(
            "no CUDA device is at hand", hint="Leave --device out, or choose a GPU runtime in the notebook."
        )
    if place.type == "cuda" and (place.index or 0) >= torch.cuda.device_count():
        raise DeviceError(f"there is no {device}: {torch.cuda.device_count()} CUDA device(s) are at hand")
    return place


def _as_codes(codes: Sequence[str] | str) -> tuple[str, ...]:
    if isinstance(codes, str):
        codes = codes.split(",")
    return tuple(code.strip() for code in codes if code.strip())


def _refuse_bad_options(seed: int, budget_s: float | None) -> None:
    if isinstance(seed, bool) or not isinstance(seed, int) or not 0 <= seed < 2**63:
        raise UsageError(f"seed must be an integer in [0, 2^63), not {seed!r}")
    if budget_s is not None and not budget_s > 0:
        raise UsageError(f"budget must be a positive number of seconds, not {budget_s!r}")

"""Describe optimizers and schedulers by figures."""

from __future__ import annotations

import math
import warnings
from typing import Any

from torch.optim import Optimizer
from torch.optim.lr_scheduler import LRScheduler, ReduceLROnPlateau

from tierproof.training.audit.parts.training_parts import TrainingParts
from tierproof.training.audit.trials.audit_evidence import OptimizerFacts, SchedulerFacts

_PLAYED_STEPS = 5000


def describe_optimizers(parts: TrainingParts) -> tuple[OptimizerFacts, ...]:
    """Each optimizer's class, its groups' numeric settings, and how many tensors it holds beside the model's."""
    strangers = parts.list_strangers()
    return tuple(
        OptimizerFacts(
            type(optimizer).__name__,
            tuple(
                {key: float(value) for key, value in group.items() if isinstance(value, int | float)}
                for group in optimizer.param_groups
            ),
            sum(place == index for place, _, _ in strangers),
        )
        for index, optimizer in enumerate(parts.optimizers)
    )


def describe_schedulers(parts: TrainingParts) -> tuple[SchedulerFacts, ...]:
    """Each scheduler's class, and the rates that it would set, played on the spot; the caller restores the state."""
    return tuple(
        SchedulerFacts(type(each).__name__, _play(each), _is_of_unused(each, parts))
        for each in parts.schedulers
    )


def _is_of_unused(scheduler: Any, parts: TrainingParts) -> bool:
    optimizer = getattr(scheduler, "optimizer", None)
    inner = getattr(optimizer, "optimizer", optimizer)  # what accelerate wraps
    if not isinstance(inner, Optimizer) or any(each in (optimizer, inner) for each in parts.optimizers):
        return False
    own = {id(each) for each in parts.model.parameters()}
    return any(id(each) in own for group in inner.param_groups for each in group["params"])


def _play(scheduler: Any) -> tuple[float, ...]:
    if not isinstance(scheduler, LRScheduler) or isinstance(scheduler, ReduceLROnPlateau):
        return ()
    optimizer = scheduler.optimizer
    rates = [float(optimizer.param_groups[0]["lr"])]
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # that no optimizer has stepped in between is meant
            for _ in range(_PLAYED_STEPS):
                scheduler.step()
                rates.append(float(optimizer.param_groups[0]["lr"]))
    except Exception:  # noqa: BLE001 - a schedule that ends, such as OneCycleLR, raises: what was played is kept
        return tuple(rates)
    return tuple(rate for rate in rates if math.isfinite(rate))

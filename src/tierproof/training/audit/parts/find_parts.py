"""Find what a step trains, and with what, in the values that it reaches."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import nn
from torch.optim.lr_scheduler import LRScheduler

from tierproof.core.standing import Fact, Standing
from tierproof.training.audit.parts.audit_error import AuditError
from tierproof.training.audit.parts.find_averages import find_averages
from tierproof.training.audit.parts.named_values import NamedValue, ReachableNames
from tierproof.training.audit.parts.training_parts import TrainingParts


@dataclass(frozen=True)
class GivenParts:
    """What the user named; None and () for what is to be found."""

    model: nn.Module | None = None
    optimizers: tuple[torch.optim.Optimizer, ...] = ()
    schedulers: tuple[Any, ...] = ()
    scaler: Any = None
    ema: Any = None


def find_parts(step: Callable[[Any], Any], given: GivenParts, reached: ReachableNames) -> TrainingParts:
    """Complete what was given by what the step reaches.

    Raises:
        AuditError: no model was found, or more than one could be meant; the message names the argument that settles
            it.
    """
    values = [_unwrap(value) for value in reached.values]
    facts: list[Fact] = []
    optimizers = _choose(
        "optimizer",
        [_unwrap(NamedValue("optimizer", "given", each)).value for each in given.optimizers],
        [each for each in values if isinstance(each.value, torch.optim.Optimizer)],
        facts,
    )
    modules = [each for each in values if isinstance(each.value, nn.Module)]
    model = _find_model(given.model, modules, optimizers, facts)
    if not given.optimizers:
        optimizers, facts = _leave_foreign(model, optimizers, facts)
    schedulers = _choose(
        "scheduler",
        [_unwrap(NamedValue("scheduler", "given", each)).value for each in given.schedulers],
        [each for each in values if _is_scheduler(each.value, optimizers)],
        facts,
    )
    scalers = _choose(
        "scaler",
        [] if given.scaler is None else [given.scaler],
        [each for each in values if isinstance(each.value, torch.amp.GradScaler)],
        facts,
    )
    averages = find_averages(model, values, given.ema)
    facts += [Fact("averaged weights", each.standing, each.source) for each in averages]
    return TrainingParts(
        model,
        tuple(optimizers),
        tuple(schedulers),
        scalers[0] if scalers else None,
        tuple(each.weights for each in averages),
        tuple(facts),
        (step, *(value.value for value in reached.values)),
    )


def _unwrap(found: NamedValue) -> NamedValue:
    """Accelerate's optimizers and schedulers, and compiled or distributed models, as what they wrap."""
    value = found.value
    for kind, name in ((LRScheduler, "scheduler"), (nn.Module, "_orig_mod")):
        inner = getattr(value, "__dict__", {}).get(name)
        while isinstance(inner, kind) and not isinstance(value, LRScheduler):
            value, inner = inner, getattr(inner, "__dict__", {}).get(name)
    while isinstance(value, torch.optim.Optimizer):
        # The inner one steps, as in accelerate's, and in SAM's and Lookahead's under other names.
        wrapped = [
            each
            for each in vars(value).values()
            if isinstance(each, torch.optim.Optimizer) and each is not value
        ]
        if not wrapped:
            break
        value = wrapped[0]
    if isinstance(value, nn.DataParallel | nn.parallel.DistributedDataParallel):
        value = value.module
    compiled = getattr(value, "_modules", {}).get("_orig_mod") if isinstance(value, nn.Module) else None
    return NamedValue(found.name, found.place, compiled if compiled is not None else value)


def _list_held(optimizers: Iterable[torch.optim.Optimizer]) -> set[int]:
    return {id(each) for one in optimizers for group in one.param_groups for each in group["params"]}


def _is_scheduler(value: Any, optimizers: Sequence[torch.optim.Optimizer]) -> bool:
    """An `LRScheduler` of parameters of one of the optimizers, or an object with a `step` that holds one."""
    if isinstance(value, LRScheduler):
        # One of a further optimizer of the same parameters sets rates that have no effect: a rule tells.
        held = _list_held([value.optimizer])
        return not optimizers or not held.isdisjoint(_list_held(optimizers))
    if isinstance(value, torch.optim.Optimizer | nn.Module | type) or not hasattr(value, "__dict__"):
        return False
    holds = any(each is optimizer for each in vars(value).values() for optimizer in optimizers)
    rates = hasattr(type(value), "step") and not hasattr(type(value), "training_step")
    return holds and rates and not isinstance(value, torch.amp.GradScaler)


def _choose(what: str, given: list[Any], found: Iterable[NamedValue], facts: list[Fact]) -> list[Any]:
    """What was given, else what was found, each object once; notes where it came from."""
    if given:
        facts += [Fact(what, Standing.GIVEN, f"{type(each).__name__}, given") for each in given]
        return given
    chosen: list[Any] = []
    for each in found:
        if any(each.value is known for known in chosen):
            continue
        chosen.append(each.value)
        facts.append(
            Fact(
                what,
                Standing.MEASURED,
                f"{type(each.value).__name__}, found in {each.place} as {each.name}",
                f"pass `{what}=`",
            )
        )
    return chosen


def _find_model(
    given: nn.Module | None,
    modules: Sequence[NamedValue],
    optimizers: Sequence[torch.optim.Optimizer],
    facts: list[Fact],
) -> nn.Module:
    if given is not None:
        facts.append(Fact("model", Standing.GIVEN, f"{type(given).__name__}, given"))
        return _unwrap(NamedValue("model", "given", given)).value  # type: ignore[no-any-return]
    held = {
        id(each) for optimizer in optimizers for group in optimizer.param_groups for each in group["params"]
    }
    outer = _keep_outermost(modules)
    trained = [each for each in outer if any(id(p) in held for p in each.value.parameters())]
    candidates = trained or [each for each in outer if any(p.requires_grad for p in each.value.parameters())]
    candidates = _keep_nearest(candidates)
    if not candidates:
        raise AuditError(
            "no model was found in what the step reaches",
            hint="Pass it: tp.audit(step, batches, model=...).",
        )
    if len(candidates) > 1:
        names = ", ".join(f"{each.name} ({type(each.value).__name__})" for each in candidates)
        raise AuditError(
            f"the step trains {len(candidates)} models: {names}",
            hint="Name the one to audit: tp.audit(step, batches, model=...); "
            "torch.nn.ModuleDict joins several that are trained together.",
        )
    chosen = _leave_wrapper(candidates[0], modules, held)
    facts.append(
        Fact(
            "model",
            Standing.MEASURED,
            f"{type(chosen.value).__name__}, found in {chosen.place} as {chosen.name}",
            "pass `model=`",
        )
    )
    return chosen.value  # type: ignore[no-any-return]


def _leave_wrapper(outer: NamedValue, modules: Sequence[NamedValue], held: set[int]) -> NamedValue:
    """The module that is trained, where the outer one holds it beside an average of it."""
    trained = {id(each) for each in outer.value.parameters()} & held
    inside = {id(each) for each in outer.value.modules()} - {id(outer.value)}
    for each in modules:
        if id(each.value) not in inside or not trained <= {id(p) for p in each.value.parameters()}:
            continue
        if find_averages(each.value, [outer]):
            return each
    return outer


def _leave_foreign(
    model: nn.Module, optimizers: list[Any], facts: list[Fact]
) -> tuple[list[Any], list[Fact]]:
    """Without the optimizers of other models, where there are some of this one."""
    own = {id(each) for each in model.parameters()}
    holding = [
        any(id(each) in own for group in optimizer.param_groups for each in group["params"])
        for optimizer in optimizers
    ]
    if not any(holding) or all(holding):
        return optimizers, facts
    told = [fact for fact in facts if fact.name == "optimizer"]
    foreign = [fact for fact, holds in zip(told, holding, strict=True) if not holds]
    kept = [each for each, holds in zip(optimizers, holding, strict=True) if holds]
    return kept, [fact for fact in facts if not any(fact is each for each in foreign)]


def _keep_nearest(modules: Sequence[NamedValue]) -> list[NamedValue]:
    """The modules with the shortest names. What lies deep in another object, as the models of runs before do in an
    accelerator, is not what the step names itself."""
    depths = [each.name.removeprefix("self.").count(".") + each.name.count("[") for each in modules]
    return [each for each, depth in zip(modules, depths, strict=True) if depth == min(depths)]


def _keep_outermost(modules: Sequence[NamedValue]) -> list[NamedValue]:
    """The modules that are part of no other one, each once."""
    inner = {id(part) for each in modules for part in list(each.value.modules())[1:]}
    kept: list[NamedValue] = []
    for each in modules:
        if id(each.value) not in inner and not any(each.value is known.value for known in kept):
            kept.append(each)
    return kept

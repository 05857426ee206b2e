"""What a step trains and with what."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

import torch
from torch import Tensor, nn

from tierproof.core.standing import Fact


class ParameterKind(StrEnum):
    """What a parameter does in its module."""

    WEIGHT = "weight"
    BIAS = "bias"
    NORM = "norm"
    EMBEDDING = "embedding"


@dataclass(frozen=True, slots=True)
class ParameterFacts:
    """One parameter of the model.

    Attributes:
        path: as `named_parameters()` gives it, ties once.
        kind: what it does.
        trainable: whether it requires a gradient.
        holders: (index of the optimizer, index of the group) of each place that holds it.
        elements: how many numbers it has.
    """

    path: str
    kind: ParameterKind
    trainable: bool
    holders: tuple[tuple[int, int], ...]
    elements: int


@dataclass(frozen=True)
class AveragedWeights:
    """An average of the model's weights that the step keeps (EMA, SWA).

    Attributes:
        owner: the object that holds it.
        name: under which it was found.
        read: its present tensors by the model's path; of parameters and, where it has them, of buffers. A step may
            put new tensors in the place of the old.
    """

    owner: Any
    name: str
    read: Callable[[], dict[str, Tensor]]


@dataclass(frozen=True)
class TrainingParts:
    """The live objects that a step works with, and how each was found.

    Attributes:
        model: the module whose parameters are trained.
        optimizers: in the order in which they were found.
        schedulers: everything that sets learning rates, `LRScheduler`s and custom ones.
        scaler: a GradScaler.
        averages: averaged weights.
        facts: for the report: what was found where, with its standing.
        others: further objects whose state is restored (the step itself, what it closes over).
    """

    model: nn.Module
    optimizers: tuple[torch.optim.Optimizer, ...]
    schedulers: tuple[Any, ...] = ()
    scaler: Any = None
    averages: tuple[AveragedWeights, ...] = ()
    facts: tuple[Fact, ...] = ()
    others: tuple[Any, ...] = field(default=(), repr=False)

    def list_parameters(self) -> tuple[ParameterFacts, ...]:
        """The model's parameters, each with the optimizer groups that hold it."""
        holders: dict[int, list[tuple[int, int]]] = {}
        for index, optimizer in enumerate(self.optimizers):
            for number, group in enumerate(optimizer.param_groups):
                for parameter in group["params"]:
                    holders.setdefault(id(parameter), []).append((index, number))
        kinds = _find_kinds(self.model)
        return tuple(
            ParameterFacts(
                path,
                kinds.get(path, ParameterKind.WEIGHT),
                parameter.requires_grad,
                tuple(holders.get(id(parameter), ())),
                parameter.numel(),
            )
            for path, parameter in self.model.named_parameters()
        )

    def list_strangers(self) -> tuple[tuple[int, int, Tensor], ...]:
        """(optimizer, group, tensor) of what an optimizer holds and the model does not have."""
        own = {id(parameter) for parameter in self.model.parameters()}
        return tuple(
            (index, number, parameter)
            for index, optimizer in enumerate(self.optimizers)
            for number, group in enumerate(optimizer.param_groups)
            for parameter in group["params"]
            if id(parameter) not in own
        )


def _find_kinds(model: nn.Module) -> dict[str, ParameterKind]:
    kinds = {}
    for path, module in model.named_modules():
        for name, parameter in module.named_parameters(recurse=False):
            full = f"{path}.{name}" if path else name
            if isinstance(module, nn.Embedding | nn.EmbeddingBag):
                kinds[full] = ParameterKind.EMBEDDING
            elif parameter.dim() <= 1 and "norm" in type(module).__name__.lower():
                kinds[full] = ParameterKind.NORM
            elif parameter.dim() <= 1:
                kinds[full] = ParameterKind.BIAS
    return kinds

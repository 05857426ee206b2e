"""Record everything that a training step may change, and put it back."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from tierproof.model.gradients.training_step import seed_everything
from tierproof.model.preserve.preserve import ModelRecord, preserve
from tierproof.training.audit.parts.named_values import ReachableNames
from tierproof.training.audit.parts.training_parts import TrainingParts


class _EverythingTrained(nn.Module):
    """One root from which all that a step may change is reached: the model, and the rest as plain attributes.

    The tensors of optimizers and averages are registered, so that they are copied whatever their size.
    """

    def __init__(self, parts: TrainingParts, others: Iterable[Any]) -> None:
        super().__init__()
        self.model = parts.model
        for index, tensor in enumerate(_list_state_tensors(parts)):
            self.register_buffer(f"state_{index}", tensor, persistent=False)
        self.rest = [
            *parts.optimizers,
            *parts.schedulers,
            parts.scaler,
            *(average.owner for average in parts.averages),
            *parts.others,
            *others,
        ]


def _list_state_tensors(parts: TrainingParts) -> Iterator[Tensor]:
    others = [each for each in parts.others if isinstance(each, torch.optim.Optimizer)]
    for optimizer in {id(each): each for each in (*parts.optimizers, *others)}.values():
        for state in optimizer.state.values():
            if isinstance(state, dict):
                yield from (value for value in state.values() if isinstance(value, Tensor))
    for average in parts.averages:
        yield from average.read().values()


@dataclass(frozen=True)
class TrainingState:
    """The recorded state; `restore` returns to it as often as it is called."""

    record: ModelRecord
    seed: int
    globals: tuple[tuple[dict[str, Any], dict[str, Any]], ...]

    def restore(self, full: bool = False) -> None:
        """Put everything back, and seed the random generators.

        Raises:
            RestorationError: when something could not be restored.
        """
        for namespace, values in self.globals:
            namespace.update(values)
        self.record.restore(full)
        seed_everything(self.seed)


@contextmanager
def preserve_training(
    parts: TrainingParts, reached: ReachableNames, batches: Iterable[Any], seed: int = 0
) -> Iterator[TrainingState]:
    """Inside the `with`, steps may run; after it, all they reach is as it came, bit for bit.

    Covered: the model, optimizers, schedulers, scaler, averages, what the step closes over and its global variables,
    the batches, random states, modes and flags. Not covered: files, loggers, iterators of data loaders.
    """
    kept = tuple(
        (namespace, {name: namespace[name] for name in names if name in namespace})
        for namespace, names in reached.globals
    )
    with preserve(_EverythingTrained(parts, batches)) as record:
        state = TrainingState(record, seed, kept)
        try:
            yield state
        finally:
            for namespace, values in kept:
                namespace.update(values)

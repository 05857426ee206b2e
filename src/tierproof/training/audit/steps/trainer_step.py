"""A training step made of a `transformers.Trainer`, by the methods that its own loop calls."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import islice
from typing import Any

import torch

from tierproof.training.audit.parts.audit_error import AuditError

_BATCHES = 4


def is_trainer(value: Any) -> bool:
    """Whether a value has the methods of a `transformers.Trainer` that a step is made of."""
    names = ("training_step", "create_optimizer_and_scheduler", "get_train_dataloader", "args", "model")
    return all(hasattr(value, name) for name in names)


@contextmanager
def lend_trainer(trainer: Any) -> Iterator[None]:
    """Inside the `with`, a trainer may make its optimizer and data loaders; after it, its attributes are as they came.

    Nothing is done for a step that is no trainer.
    """
    if not is_trainer(trainer):
        yield
        return
    accelerator = getattr(trainer, "accelerator", None)
    owners = [trainer, accelerator, getattr(accelerator, "gradient_state", None)]
    kept = [(vars(owner), dict(vars(owner))) for owner in owners if hasattr(owner, "__dict__")]
    lists = [(each, list(each)) for _, values in kept for each in values.values() if type(each) is list]
    try:
        yield
    finally:
        for live, values in kept:
            live.update(values)
            for name in live.keys() - values.keys():
                del live[name]
        for each, items in lists:
            each[:] = items


@dataclass(frozen=True)
class TrainerStep:
    """`step(batches)`: one update of a trainer, over as many micro-batches as its arguments say.

    Attributes:
        trainer: whose `training_step` (and so `compute_loss`), optimizer and scheduler are used.
    """

    trainer: Any

    def __call__(self, batches: list[Any]) -> float:
        """Run one update, in the order of the trainer's own loop."""
        trainer = self.trainer
        count = (
            trainer._get_num_items_in_batch(batches, trainer.args.device) if _counts_items(trainer) else None
        )
        total = 0.0
        for batch in batches:
            trainer.model.train()
            total += float(trainer.training_step(trainer.model, batch, count).detach())
        most = trainer.args.max_grad_norm
        if most is not None and most > 0:
            torch.nn.utils.clip_grad_norm_(trainer.model.parameters(), most)
        trainer.optimizer.step()
        if not isinstance(trainer.lr_scheduler, torch.optim.lr_scheduler.ReduceLROnPlateau):
            trainer.lr_scheduler.step()
        trainer.model.zero_grad()
        return total


def _counts_items(trainer: Any) -> bool:
    return hasattr(trainer, "_get_num_items_in_batch")


def prepare_trainer(trainer: Any, batches: Iterable[Any] | None) -> tuple[TrainerStep, list[list[Any]]]:
    """A trainer's step, and its first batches: each a list of the micro-batches of one update.

    Makes the trainer's optimizer and scheduler where it has none yet.

    Raises:
        AuditError: the trainer has no training data, and no batches were given.
    """
    every = max(1, int(trainer.args.gradient_accumulation_steps))
    if trainer.optimizer is None or trainer.lr_scheduler is None:
        trainer.create_optimizer_and_scheduler(num_training_steps=max(1, trainer.args.max_steps))
    if batches is None:
        if getattr(trainer, "train_dataset", None) is None:
            raise AuditError(
                "the trainer has no train_dataset", hint="Pass batches: tp.audit(trainer, batches=[...])."
            )
        batches = islice(trainer.get_train_dataloader(), _BATCHES * every)
    found = list(batches)
    groups = [found[i : i + every] for i in range(0, len(found) - every + 1, every)]
    if not groups:
        raise AuditError(
            f"one update takes {every} micro-batches, and {len(found)} were given",
            hint="Pass more batches, or lower gradient_accumulation_steps.",
        )
    return TrainerStep(trainer), groups

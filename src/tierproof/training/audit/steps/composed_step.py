"""A training step made of a model, an optimizer and a loss."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from tierproof.training.audit.parts.audit_error import AuditError


@dataclass(frozen=True)
class ComposedStep:
    """`step(batch)`: forward, loss, backward, update, schedule.

    Attributes:
        model, optimizer: trained.
        loss_fn: called with (the model's answer, the targets); None where the answer carries its `loss`.
        scheduler: stepped after the optimizer; None for none.
        accumulate: a batch is then a list of so many micro-batches, and each loss is divided by their number.
    """

    model: nn.Module
    optimizer: torch.optim.Optimizer
    loss_fn: Callable[[Any, Any], Tensor] | None = None
    scheduler: Any = None
    accumulate: int = 1

    def __call__(self, batch: Any) -> float:
        """Run one training step.

        Raises:
            AuditError: the batch cannot be taken apart, or the answer carries no loss.
        """
        parts: Sequence[Any] = batch if self.accumulate > 1 else [batch]
        self.optimizer.zero_grad()
        total = 0.0
        for part in parts:
            loss = self._compute_loss(part) / len(parts)
            loss.backward()  # type: ignore[no-untyped-call]
            total += float(loss.detach())
        self.optimizer.step()
        if self.scheduler is not None:
            self.scheduler.step()
        return total

    def _compute_loss(self, batch: Any) -> Tensor:
        if isinstance(batch, Mapping):
            answer = self.model(**batch)
            return _read_loss(answer) if self.loss_fn is None else self.loss_fn(answer, batch)
        if isinstance(batch, list | tuple) and len(batch) == 2:
            answer = self.model(batch[0])
            if self.loss_fn is not None:
                return self.loss_fn(answer, batch[1])
            return _read_loss(answer)
        answer = self.model(batch)
        return _read_loss(answer) if self.loss_fn is None else self.loss_fn(answer, batch)


def _read_loss(answer: Any) -> Tensor:
    loss = answer.get("loss") if isinstance(answer, Mapping) else getattr(answer, "loss", None)
    if loss is None and isinstance(answer, tuple) and answer:
        loss = answer[0]
    if not isinstance(loss, Tensor) or loss.numel() != 1:
        raise AuditError(
            "the model's answer carries no loss",
            hint="Pass loss_fn=: it is called with the model's answer and the second part of the batch.",
        )
    return loss

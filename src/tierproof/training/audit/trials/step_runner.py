"""Runs the user's step from its recorded first state."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from tierproof.training.audit.batches.batch_tensors import copy_batch
from tierproof.training.audit.parts.training_parts import TrainingParts
from tierproof.training.audit.recording.record_step import record_step
from tierproof.training.audit.recording.step_record import StepRecord
from tierproof.training.audit.trials.training_state import TrainingState
from tierproof.training.audit.trials.without_dropout import WithoutDropout


@dataclass
class StepRunner:
    """Runs the user's step from the recorded state.

    Attributes:
        step, batches, parts, state: as `run_trials` got them.
        not_tried: what a trial could not do.
    """

    step: Callable[[Any], Any]
    batches: Sequence[Any]
    parts: TrainingParts
    state: TrainingState
    not_tried: list[str] = field(default_factory=list)

    def batch(self, index: int) -> Any:
        """A copy of the batch of the `index`-th call; the given ones are taken in turn."""
        return copy_batch(self.batches[index % len(self.batches)])

    def run(self, batch: Any, *, keep_scores: bool = False, count_live: bool = False) -> StepRecord:
        """One call from where things stand."""
        return record_step(self.step, batch, self.parts, keep_scores=keep_scores, count_live=count_live)

    def run_quiet(self, batch: Any, *, keep_scores: bool = False) -> StepRecord:
        """One call from the first state, with dropout off."""
        self.state.restore()
        with WithoutDropout():
            return self.run(batch, keep_scores=keep_scores)

    def attempt(self, what: str, batch: Any, *, keep_scores: bool = False) -> StepRecord | None:
        """`run_quiet` on a changed batch; a step that raises on it is noted, not raised."""
        try:
            return self.run_quiet(batch, keep_scores=keep_scores)
        except Exception as error:  # noqa: BLE001 - noted in the evidence: the step need not take a changed batch
            self.not_tried.append(f"{what}: the step raised {type(error).__name__}: {str(error)[:200]}")
            return None

"""Runs the user's step from its recorded first state."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from tierproof.model.gradients.training_step import seed_everything
from tierproof.training.audit.batches.batch_tensors import copy_batch
from tierproof.training.audit.parts.training_parts import TrainingParts
from tierproof.training.audit.recording.record_step import record_step
from tierproof.training.audit.recording.step_record import StepRecord
from tierproof.training.audit.trials.training_state import TrainingState
from tierproof.training.audit.trials.without_dropout import WithoutDropout

# The user's own steps may be slow: no audit makes more calls.
MOST_CALLS = 30


@dataclass
class StepRunner:
    """Runs the user's step from the recorded state.

    Attributes:
        step, batches, parts, state: as `run_trials` got them.
        not_tried: what a trial could not do.
        calls: how many calls of the step were made.
    """

    step: Callable[[Any], Any]
    batches: Sequence[Any]
    parts: TrainingParts
    state: TrainingState
    not_tried: list[str] = field(default_factory=list)
    calls: int = 0

    def affords(self, calls: int, what: str) -> bool:
        """Whether so many more calls stay within the number that an audit is allowed; notes it where they do not."""
        if self.calls + calls <= MOST_CALLS:
            return True
        self.not_tried.append(f"{what}: it takes more than {MOST_CALLS} steps in all")
        return False

    def batch(self, index: int) -> Any:
        """A copy of the batch of the `index`-th call; the given ones are taken in turn."""
        return copy_batch(self.batches[index % len(self.batches)])

    def run(self, batch: Any, *, keep_scores: bool = False, count_live: bool = False) -> StepRecord:
        """One call from where things stand."""
        self.calls += 1
        return record_step(self.step, batch, self.parts, keep_scores=keep_scores, count_live=count_live)

    def run_quiet(self, batch: Any, *, keep_scores: bool = False, seed: int | None = None) -> StepRecord:
        """One call from the first state, with dropout off; with another seed where one is given."""
        self.state.restore()
        if seed is not None:
            seed_everything(seed)
        with WithoutDropout():
            return self.run(batch, keep_scores=keep_scores)

    def attempt(
        self, what: str, batch: Any, *, keep_scores: bool = False, seed: int | None = None
    ) -> StepRecord | None:
        """`run_quiet`, of which an error is noted and not raised."""
        if not self.affords(1, what):
            return None
        try:
            return self.run_quiet(batch, keep_scores=keep_scores, seed=seed)
        except Exception as error:  # noqa: BLE001 - noted in the evidence: the step need not take a changed batch
            self.not_tried.append(f"{what}: the step raised {type(error).__name__}: {str(error)[:200]}")
            return None

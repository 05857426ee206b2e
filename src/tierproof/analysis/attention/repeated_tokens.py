"""Random tokens that repeat once, on which induction and duplicate-token heads show (Olsson et al. 2022)."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TypeVar

from tierproof.model.call.call import Call
from tierproof.model.describe.subject import Subject

# Short enough to be cheap, long enough for a head to show where it looks.
_PERIOD = 32
_ROWS = 2

Result = TypeVar("Result")


def run_on_repeats(
    subject: Subject, seed: int, run: Callable[[Call, int], Result], *, rows: int = _ROWS
) -> Result | None:
    """What `run` gives for the first such call that the model takes.

    Args:
        run: called with the call and the number of tokens that repeat; it runs the model.
        rows: of the call.

    Returns:
        None where the model reads no tokens or refuses such lengths.
    """
    for call, period in _list_repeats(subject, seed, rows):
        try:
            return run(call, period)
        except Exception:  # noqa: BLE001 - sizes that the model refuses; the caller's own inputs run
            continue
    return None


def _list_repeats(subject: Subject, seed: int, rows: int) -> Iterator[tuple[Call, int]]:
    """The calls, the better ones first, each with the number of tokens that repeat."""
    plan = subject.inputs
    primary = plan.primary_argument
    if primary.role != "tokens" or primary.sample is not None or not plan.has_length:
        return
    period = plan.clip_length(2 * _PERIOD) // 2
    if period < 2:
        return
    # Another length of the target tells cross-attention from attention among the same positions.
    for target_length in (2 * period - 1, 2 * period):
        call = subject.make_call(
            batch=rows if plan.has_batch else None,
            length=2 * period,
            target_length=target_length,
            seed=seed,
        )
        for argument in plan.arguments:
            tokens = call.tensors.get(argument.name)
            if argument.role == "tokens" and tokens is not None and tokens.shape[-1] == 2 * period:
                call = call.with_argument(argument.name, tokens[..., :period].tile(2))
        yield call, period

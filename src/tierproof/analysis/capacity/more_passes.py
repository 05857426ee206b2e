"""Run more random inputs, to confirm that what was not seen is really not there."""

from __future__ import annotations

from collections.abc import Callable

from tierproof.analysis.capacity.watch_passes import WatchedPasses, watch_passes
from tierproof.model.call.call import raised_in_a_call
from tierproof.model.describe.subject import Subject

_LONGEST = 64
_ROWS = 8
_MOST_CALLS = 32
# Away from the seeds of the examples.
_SEED_OFFSET = 7001


def watch_more(
    subject: Subject, positions: int, *, seed: int, expired: Callable[[], bool] = lambda: False
) -> WatchedPasses | None:
    """Watch random draws of about this many positions; None where the model raises on eight rows of them."""
    plan = subject.inputs
    length = plan.clip_length(_LONGEST) if plan.has_length else None
    rows = _ROWS if plan.has_batch else 1
    count = min(max(1, -(-positions // (rows * (length or 1)))), _MOST_CALLS)
    calls = (
        subject.make_call(
            batch=rows if plan.has_batch else None,
            length=length,
            target_length=length,
            seed=seed + _SEED_OFFSET + number,
        )
        for number in range(count)
    )
    try:
        return watch_passes(subject, calls, seed=seed, expired=expired)
    except Exception as error:
        if not raised_in_a_call(error):
            raise
        return None

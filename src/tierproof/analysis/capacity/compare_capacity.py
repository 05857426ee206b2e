"""Put a model's figures beside those of its twin."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from tierproof.analysis.capacity.capacity_figures import CapacityFigures, ModelCapacity
from tierproof.analysis.capacity.fresh_twin import measure_twin
from tierproof.analysis.capacity.measure_capacity import INTERRUPTED, measure_figures
from tierproof.analysis.capacity.unusual_layers import find_unusual
from tierproof.analysis.examples.example_set import ExampleSet
from tierproof.core.time_limit import TimeIsUp
from tierproof.model.describe.subject import Subject

_NO_TIME = "no time was left for a twin"


def measure_capacity(
    subject: Subject,
    examples: ExampleSet,
    *,
    seed: int = 0,
    twin: bool = True,
    expired: Callable[[], bool] = lambda: False,
    keep_interrupted: bool = False,
) -> ModelCapacity:
    """Measure a model, and a new instance of its class on the same examples.

    Args:
        twin: whether to build and measure it; it doubles the cost and takes as much memory as the model.
        expired: whether no time is left; what was measured until then is kept.
        keep_interrupted: whether Ctrl-C behind the model's passes leaves what was measured until then.
    """
    own = measure_figures(subject, examples, seed=seed, expired=expired, keep_interrupted=keep_interrupted)
    other: CapacityFigures | str = INTERRUPTED if INTERRUPTED in own.unread else "no twin was asked for"
    if twin and INTERRUPTED not in own.unread:
        try:
            other = _NO_TIME if expired() else measure_twin(subject, examples, seed=seed, expired=expired)
        except TimeIsUp:
            other = _NO_TIME
        except KeyboardInterrupt:
            if not keep_interrupted:
                raise
            other = "it was interrupted"
    fresh = None if isinstance(other, str) else other
    return ModelCapacity(
        model=type(subject.model).__name__,
        inputs=examples.describe(),
        own=own,
        twin=fresh,
        twin_reason=other if isinstance(other, str) else "",
        unusual=find_unusual(own, fresh),
    )


def add_reference(measured: ModelCapacity, reference: CapacityFigures, name: str) -> ModelCapacity:
    """The same beside a reference, in place of the twin as what layers are compared with."""
    return replace(
        measured,
        reference=reference,
        reference_name=name,
        unusual=find_unusual(measured.own, reference),
    )

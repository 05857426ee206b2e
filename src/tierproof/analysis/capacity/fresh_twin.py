"""Build and measure a freshly initialised twin of a model."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import torch

from tierproof.analysis.capacity.capacity_figures import CapacityFigures
from tierproof.analysis.capacity.measure_capacity import measure_figures
from tierproof.analysis.examples.example_set import ExampleSet
from tierproof.model.call.call import raised_in_a_call
from tierproof.model.describe.batch_norm_statistics import settle_batch_norms
from tierproof.model.describe.fresh_instance import build_again
from tierproof.model.describe.subject import Subject
from tierproof.model.sizes.device_memory import find_available_bytes

# Away from seeds that people use: a model built at the same seed would be its own twin.
_SEED_OFFSET = 104729
_LARGEST_SHARE = 0.5


def measure_twin(
    subject: Subject, examples: ExampleSet, *, seed: int, expired: Callable[[], bool] = lambda: False
) -> CapacityFigures | str:
    """The figures of a new instance of the model's class on the same examples, or why there are none."""
    if subject.hidden:
        return "no twin was built: layers in plain attributes would not be seen in it"
    reason = _find_shortage(subject)
    if reason:
        return reason
    # The batch norms of a new instance are settled by passes in training mode, so it needs its own seed throughout.
    torch.manual_seed(seed + _SEED_OFFSET)
    built = build_again(subject)
    if isinstance(built, str):
        return f"no twin was built: {built}"
    twin = replace(subject, model=built.eval())
    try:
        settle_batch_norms(twin, seed)
        built.eval()
        return measure_figures(twin, examples, seed=seed, expired=expired)
    except Exception as error:
        if not raised_in_a_call(error):
            raise
        return (
            f"the twin was not measured: its forward pass raised {type(error).__name__}: {str(error)[:200]}"
        )


def _find_shortage(subject: Subject) -> str:
    """Why there is no room for a second model; empty where there is."""
    needed = sum(tensor.nbytes for tensor in (*subject.model.parameters(), *subject.model.buffers()))
    device = subject.device
    available = find_available_bytes() if device.type == "cpu" else None
    if device.type == "cuda":
        available = torch.cuda.mem_get_info(device)[0]
    if available is None or needed <= _LARGEST_SHARE * available:
        return ""
    return f"no twin was built: it would take {needed / 1e9:.1f} GB, and {available / 1e9:.1f} GB are free"

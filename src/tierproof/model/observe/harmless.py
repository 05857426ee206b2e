"""Keep what a probe asks during a forward pass from breaking it: a failure is the probe's, never the model's."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def harmless(failures: list[str]) -> Iterator[None]:
    """Inside the `with`, an exception ends the question that was asked and is noted in `failures`.

    Values inside `torch.func.vmap`, empty tensors and tensors of unusual classes cannot answer every question.
    """
    try:
        yield
    except Exception as error:  # noqa: BLE001 - noted: the forward pass goes on, and one observation is missing
        failures.append(f"{type(error).__name__}: {str(error)[:200]}")

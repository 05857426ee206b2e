"""Trace a model without TorchDynamo's notes on the terminal, and without its caches afterwards."""

from __future__ import annotations

import io
import logging
import warnings
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stderr, redirect_stdout


@contextmanager
def trace_quietly() -> Iterator[None]:
    """Empty caches of compiled code before and after; what is printed, warned and logged between is dropped.

    What tracing fails on is raised all the same. On failure the exporter prints the whole graph.
    """
    import torch._dynamo

    present = logging.root.manager.disable
    torch._dynamo.reset()
    logging.disable(logging.CRITICAL)
    try:
        nowhere = io.StringIO()
        with warnings.catch_warnings(), redirect_stdout(nowhere), redirect_stderr(nowhere):
            warnings.simplefilter("ignore")
            yield
    finally:
        logging.disable(present)
        torch._dynamo.reset()

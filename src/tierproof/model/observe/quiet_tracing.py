"""Trace or compile a model without output on the terminal and without leaving TorchDynamo's caches behind."""

from __future__ import annotations

import io
import logging
import warnings
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stderr, redirect_stdout


@contextmanager
def trace_quietly() -> Iterator[None]:
    """Inside the `with`, suppress prints, warnings and logs; empty the caches of compiled code before and after.

    Exceptions pass through. Without this, the exporter prints the whole graph when it fails.
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

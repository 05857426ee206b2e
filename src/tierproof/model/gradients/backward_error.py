"""Tell a backward pass that the model makes impossible from a crash of a check."""

from __future__ import annotations

from pathlib import Path

import torch

_ENGINE = str(Path(torch.__file__).parent / "autograd" / "graph.py")
_OWN_CODE = str(Path(__file__).parents[2])


def raised_in_backward(error: BaseException) -> bool:
    """Whether autograd raised `error` in a backward pass: of the model's operations, or of its own functions."""
    traceback, inside, innermost = error.__traceback__, False, ""
    while traceback is not None:
        innermost = traceback.tb_frame.f_code.co_filename
        inside |= innermost == _ENGINE
        traceback = traceback.tb_next
    return inside and not innermost.startswith(_OWN_CODE)

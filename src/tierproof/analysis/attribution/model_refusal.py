"""Tell what a model, captum or a person's function refuses from a fault of the analysis itself."""

from __future__ import annotations

from pathlib import Path

from tierproof.model.call.call import raised_in_a_call
from tierproof.model.gradients.backward_error import raised_in_backward

_OWN_CODE = str(Path(__file__).parents[1])


def explain_refusal(error: Exception) -> str:
    """Why the work could not be done, in one line.

    Raises:
        Exception: `error` itself, where the analysis raised it: such a fault must not pass for the model's.
    """
    traceback = error.__traceback__
    while traceback is not None and traceback.tb_next is not None:
        traceback = traceback.tb_next
    own = traceback is not None and traceback.tb_frame.f_code.co_filename.startswith(_OWN_CODE)
    if own and not (raised_in_a_call(error) or raised_in_backward(error)):
        raise error
    return f"{type(error).__name__}: {error}".splitlines()[0][:300]

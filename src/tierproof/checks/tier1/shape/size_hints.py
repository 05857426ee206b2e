"""What to do about a size that raises, by the code of the finding."""

from __future__ import annotations

_HINTS = {
    "T1-SHAPE-001": "In {place}, take sizes from the input's shape, and give tables enough rows.",
    "T1-SHAPE-002": "In {place}, give the position table or mask enough rows, or declare a shorter maximum length.",
    "T1-SHAPE-005": "In {place}, handle one position: pass an axis to `squeeze()`, and take sizes from the input.",
    "T1-SHAPE-006": "In {place}, take the batch size from the input's shape, and pass an axis to `squeeze()`.",
    "T1-SHAPE-009": "Fix the error in {place}, or pass `inputs=` if the inputs that were tried do not suit the model.",
}


def advise_on_raise(code: str, where: str) -> str:
    """The hint for a finding about a size that raises; `where` is the module that raised, empty for the model."""
    return _HINTS[code].format(place=f"`{where}`" if where else "the model's own forward")

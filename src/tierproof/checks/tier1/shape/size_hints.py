"""What to do about a size that raises, by the number of the finding."""

from __future__ import annotations

_HINTS = {
    "001": "In {place}, take sizes from the input's shape instead of fixing them, and give tables enough rows.",
    "002": "In {place}, give the position table or mask a row for every position, or declare a shorter maximum.",
    "005": "In {place}, handle a single position: give `squeeze()` an axis, and take sizes from the input's shape.",
    "006": "In {place}, take the batch size from the input's shape, and give `squeeze()` an axis.",
    "009": "Fix the error in {place}, or pass `inputs=` if the inputs that were tried do not suit the model.",
}


def advise_on_raise(number: str, where: str) -> str:
    """The hint for a finding about a size that raises; `where` is the module that raised, empty for the model."""
    return _HINTS[number].format(place=f"`{where}`" if where else "the model's own forward")

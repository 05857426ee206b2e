"""Which perturbations are measured, and how strong."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import zip_longest

from tierproof.analysis.robustness.reduced_precision import ROUNDING
from tierproof.analysis.robustness.robustness_figures import PADDING, PRECISION
from tierproof.errors import UsageError

_OF_TOKENS: Mapping[str, tuple[float, ...]] = {
    "swap": (0.05, 0.1, 0.3),
    "drop": (0.1, 0.3),
    "insert": (0.1, 0.3),
    "order": (0.1, 0.5),
    "truncation": (0.25, 0.5),
    "embedding noise": (0.1, 0.5, 1.0),
}
_OF_TEXTS: Mapping[str, tuple[float, ...]] = {"typos": (0.1, 0.3)}
_OF_VALUES: Mapping[str, tuple[float, ...]] = {
    "noise": (0.1, 0.3, 1.0),
    "shift": (0.05, 0.1),
    "brightness": (0.25, 0.5, 1.0),
}
_PADDED = 0.25
NAMES = (*_OF_TOKENS, *_OF_TEXTS, *_OF_VALUES)
"""The perturbations whose strengths may be chosen."""

_WORDS = {
    "swap": "{:.0%} of the tokens",
    "drop": "{:.0%} of the tokens",
    "insert": "{:.0%} more tokens",
    "order": "{:.0%} of the tokens change places",
    "truncation": "{:.0%} of the tokens cut off",
    "embedding noise": "{:g} of the embeddings' spread",
    "typos": "in {:.0%} of the words",
    "noise": "{:g} of the values' spread",
    "shift": "by {:.0%} of the size",
    "brightness": "{:g} of the values' spread added",
}


@dataclass(frozen=True, slots=True)
class Setting:
    """One perturbation at one strength, and the strength in words."""

    name: str
    strength: float
    words: str


def list_settings(
    *,
    tokens: bool,
    texts: bool,
    values: bool,
    strengths: Mapping[str, Sequence[float]] | None = None,
) -> list[Setting]:
    """The settings for a kind of input, in the order of measurement: of each perturbation first one strength.

    So a run that is ended early has something of each.

    Args:
        strengths: of perturbations, by name, instead of the default ones; an empty sequence leaves one out.

    Raises:
        UsageError: there is no perturbation of that name, or a strength is negative.
    """
    chosen = {
        **(_OF_TOKENS if tokens else {}),
        **(_OF_TEXTS if texts else {}),
        **(_OF_VALUES if values else {}),
    }
    for name, asked in (strengths or {}).items():
        if name not in NAMES:
            raise UsageError(
                f"there is no perturbation {name!r}",
                hint=f"Perturbations with strengths: {', '.join(NAMES)}.",
            )
        if any(not strength >= 0 for strength in asked):
            raise UsageError(f"a strength of {name} is negative", hint="Pass strengths of 0 or more.")
        if name in chosen:
            chosen[name] = tuple(asked)
    series = [
        [Setting(name, strength, _WORDS[name].format(strength)) for strength in reversed(sizes)]
        for name, sizes in chosen.items()
    ]
    series.append([Setting(PRECISION, ROUNDING[name], name) for name in ("bfloat16", "int8", "float16")])
    if tokens:
        series.append([Setting(PADDING, _PADDED, side) for side in ("on the right", "on the left")])
    return [setting for turn in zip_longest(*series) for setting in turn if setting is not None]

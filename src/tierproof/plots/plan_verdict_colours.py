"""How verdicts look: a colour that the colour-blind tell apart by its lightness, and a letter."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class VerdictStyle:
    """The colour of a cell, its letter, and the colour of the letter."""

    colour: str
    letter: str
    ink: str = "#ffffff"


VERDICTS = {
    "satisfied": VerdictStyle("#cfe8d5", "s", "#1f2937"),
    "additive": VerdictStyle("#2f8f5b", "a"),
    "shadow": VerdictStyle("#8ab8e6", "h", "#1f2937"),
    "waiver": VerdictStyle("#f2c14e", "w", "#1f2937"),
    "isolated": VerdictStyle("#e07b39", "i"),
    "infeasible": VerdictStyle("#8c2f39", "x"),
    "unknown": VerdictStyle("#c5cad3", "?", "#1f2937"),
}

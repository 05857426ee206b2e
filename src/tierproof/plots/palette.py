"""Colours by role.

Each is a mid-tone that reads on white and on near-black; an HTML page may replace them by its own (see
`THEME_COLOURS`), so each value stands for one role only.
"""

from __future__ import annotations

INK = "#5b6472"
LINE = "#9aa3b0"
ACCENT = "#3f74d6"
GOOD = "#23915a"
WARN = "#c27a06"
BAD = "#d63a34"

SERIES = (ACCENT, "#2a9aa5", "#8a67cf", WARN, "#c65a94")

THEME_COLOURS = {
    INK: "var(--tp-ink-soft)",
    LINE: "var(--tp-axis)",
    ACCENT: "var(--tp-accent)",
    GOOD: "var(--tp-good)",
    WARN: "var(--tp-fig-warn)",
    BAD: "var(--tp-bad)",
}

"""Import matplotlib without pyplot, and lend it a style of its own."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from types import ModuleType

from tierproof._optional import require
from tierproof.plots.palette import INK, LINE

_FEATURE = "to draw figures"
# Not a matter of style: a drawing must not touch the backend or the window of the user's notebook.
_NOT_STYLE = (
    "backend",
    "interactive",
    "toolbar",
    "webagg",
    "tk.",
    "savefig.directory",
    "date.epoch",
    "timezone",
)
_STYLE = {
    "font.size": 9.5,
    "axes.titlesize": 9.5,
    "axes.labelsize": 9.5,
    "xtick.labelsize": 9.0,
    "ytick.labelsize": 9.0,
    "legend.fontsize": 9.0,
    "legend.frameon": False,
    "text.color": INK,
    "axes.labelcolor": INK,
    "axes.titlecolor": INK,
    "xtick.labelcolor": INK,
    "ytick.labelcolor": INK,
    "xtick.color": LINE,
    "ytick.color": LINE,
    "axes.edgecolor": LINE,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.axisbelow": True,
    "grid.color": LINE,
    "grid.linewidth": 0.6,
    "text.parse_math": False,  # a `$` in a module's name is a dollar sign
    "svg.fonttype": "none",
    "svg.hashsalt": "tierproof",
}


def load_matplotlib() -> ModuleType:
    """Import matplotlib with the parts that figures need.

    Raises:
        MissingPackageError: it is not installed.
        BrokenPackageError: it is installed and its import fails.
    """
    matplotlib = require("matplotlib", feature=_FEATURE)
    for part in ("figure", "ticker", "backends.backend_svg"):
        require(f"matplotlib.{part}", feature=_FEATURE)
    return matplotlib


@contextmanager
def chart_style() -> Iterator[None]:
    """Draw in tierproof's style, and restore the user's style afterwards."""
    matplotlib = load_matplotlib()
    defaults = {
        key: value for key, value in matplotlib.rcParamsDefault.items() if not key.startswith(_NOT_STYLE)
    }
    with warnings.catch_warnings(), matplotlib.rc_context():
        # A missing glyph is no news to the reader of a report, and browsers use their own fonts.
        warnings.filterwarnings("ignore", message="Glyph .* missing from")
        warnings.filterwarnings("ignore", category=matplotlib.MatplotlibDeprecationWarning)
        matplotlib.rcParams.update(defaults | _STYLE)
        yield

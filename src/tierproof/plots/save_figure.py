"""Write a figure to a file, whole or not at all."""

from __future__ import annotations

import io
from pathlib import Path
from typing import TYPE_CHECKING

from tierproof.core.atomic_write import write_bytes_atomically
from tierproof.errors import OutputError
from tierproof.plots.load_matplotlib import chart_style

if TYPE_CHECKING:
    from matplotlib.figure import Figure

SUFFIXES = (".svg", ".png", ".pdf")


def save_figure(figure: Figure, path: Path) -> None:
    """Write `figure` to `path`, whose suffix says how.

    Raises:
        OutputError: for another suffix, or a folder that cannot be written.
    """
    if path.suffix.lower() not in SUFFIXES:
        raise OutputError(
            f"cannot write a figure to {path}: the file must end in {', '.join(SUFFIXES[:-1])} or {SUFFIXES[-1]}"
        )
    written = io.BytesIO()
    with chart_style():
        metadata = {"Date": None} if path.suffix.lower() == ".svg" else None
        figure.savefig(written, format=path.suffix.lower()[1:], dpi=160, metadata=metadata, facecolor="white")
    write_bytes_atomically(path, written.getvalue())

"""Removes layers of workers that no running process uses and that were not used for a while."""

from __future__ import annotations

import shutil
import time
from pathlib import Path

from tierproof.guard.system.environment_lock import lock_environment
from tierproof.guard.system.process import PROC, find_own_processes

_LOCK_LIMIT_S = 60.0
# Between the choice of a layer and the start of its worker nothing names it.
UNUSED_FOR_S = 3600.0


def collect_layers(
    shelf: Path, *, unused_for_s: float = UNUSED_FOR_S
) -> tuple[dict[str, int], dict[str, str]]:
    """Remove layers.

    Args:
        shelf: the folder of all layers of an environment.
        unused_for_s: seconds since the last use, below which a layer stays.

    Returns:
        the bytes freed by each removed layer, and the reason why each other one is kept.

    Raises:
        EnvironmentBusyError: another process has been making a layer for too long.
    """
    removed: dict[str, int] = {}
    kept: dict[str, str] = {}
    if not shelf.is_dir():
        return removed, kept
    with lock_environment(shelf, limit_s=_LOCK_LIMIT_S):
        for layer in sorted(shelf.iterdir()):
            if layer.name.startswith(".") or not layer.is_dir():
                continue
            reason = _find_reason(layer, unused_for_s)
            if reason:
                kept[layer.name] = reason
                continue
            size = sum(path.lstat().st_size for path in layer.rglob("*") if path.is_file())
            grave = layer.with_name(f".making-removed-{layer.name}")  # as a killed making: swept by the next
            layer.rename(grave)
            shutil.rmtree(grave, ignore_errors=True)
            removed[layer.name] = size
    return removed, kept


def _find_reason(layer: Path, unused_for_s: float) -> str:
    if not PROC.exists():
        return "this system does not show which processes use it"
    for pid in find_own_processes():
        if _names(pid, str(layer)):
            return f"process {pid} uses it"
    try:
        unused_s = time.time() - (layer / "inventory.json").stat().st_mtime
    except OSError:
        return ""
    return "it was used within the last hour" if 0 <= unused_s < unused_for_s else ""


def _names(pid: int, layer: str) -> bool:
    """Tell whether a process has the layer mapped or in its environment; a Python that hides both counts."""
    hidden = 0
    for file in ("environ", "maps"):
        try:
            if layer.encode() in (PROC / str(pid) / file).read_bytes():
                return True
        except PermissionError:
            hidden += 1
        except OSError:
            continue
    return hidden == 2 and _is_python(pid)


def _is_python(pid: int) -> bool:
    try:
        return "python" in (PROC / str(pid) / "comm").read_text(errors="replace")
    except OSError:
        return False

"""The variables that a worker gets: the user's, without those that change what is imported."""

from __future__ import annotations

import os
import re
import shutil
import sys
import sysconfig
from collections.abc import Mapping, Sequence
from pathlib import Path

# How Python behaves, not what it imports.
_KEPT_PYTHON = re.compile(
    r"PYTHON(UTF8|IOENCODING|HASHSEED|WARNINGS|NOUSERSITE|USERBASE|DONTWRITEBYTECODE|PYCACHEPREFIX|FAULTHANDLER"
    r"|MALLOC|MALLOCSTATS|TRACEMALLOC|ASYNCIODEBUG|DEVMODE|INTMAXSTRDIGITS|BREAKPOINT|COERCECLOCALE|_.*)\Z"
)
# Of uv's and pip's variables those about indexes, which a call that installs something needs.
_KEPT_INDEX = re.compile(r"(UV|PIP)_.*(INDEX|FIND_LINKS|CERT|PROXY|TRUSTED_HOST|INSECURE_HOST|CACHE_DIR).*\Z")


def clean_environment(layer: Sequence[str], environment: Mapping[str, str]) -> dict[str, str]:
    """Return a worker's variables.

    PYTHONPATH names the layer, then what the user's named: for the interpreters that a call starts.

    Args:
        layer: folders to put in front.
        environment: of the process that asks.
    """
    kept = {name: value for name, value in environment.items() if _is_kept(name)}
    path = [*layer, *filter(None, environment.get("PYTHONPATH", "").split(os.pathsep))]
    if path:
        kept["PYTHONPATH"] = os.pathsep.join(path)
    if kept.get("MPLBACKEND", "").startswith("module://"):  # a notebook's, which draws into its own kernel
        kept["MPLBACKEND"] = "agg"
    return kept


def extend_environment(
    layer: Sequence[str], programs: Sequence[str], environment: Mapping[str, str]
) -> dict[str, str]:
    """Return a command's variables: all of the user's, the layer in front for any Python started from it.

    Args:
        layer: folders of modules to put in front.
        programs: folders of programs to put in front.
        environment: of the process that asks.
    """
    path = environment.get("PATH", os.defpath)
    extended = {**environment, "PATH": os.pathsep.join([*programs, *_list_program_folders(path), path])}
    modules = [*layer, *filter(None, environment.get("PYTHONPATH", "").split(os.pathsep))]
    if modules:
        extended["PYTHONPATH"] = os.pathsep.join(modules)
    return extended


def _list_program_folders(path: str) -> list[str]:
    """What PATH needs so that `python` and the console scripts found there are those of this interpreter."""
    found = []
    first = shutil.which("python3", path=path) or shutil.which("python", path=path)
    own = Path(sys.executable)
    in_venv = sys.prefix != sys.base_prefix
    if first is None or (Path(first).parent != own.parent and (in_venv or not own.samefile(first))):
        found.append(str(own.parent))
    scripts = sysconfig.get_path("scripts")
    if scripts not in [*found, *path.split(os.pathsep)] and Path(scripts).is_dir():
        found.append(scripts)
    return found


def _is_kept(name: str) -> bool:
    if name.startswith("PYTHON"):
        return _KEPT_PYTHON.match(name) is not None
    if name.startswith(("UV_", "PIP_")):
        return _KEPT_INDEX.match(name) is not None
    return True

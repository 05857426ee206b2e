"""The variables that a worker gets: the user's, without those that change what is imported."""

from __future__ import annotations

import os
import re
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
    """Give a worker's variables.

    PYTHONPATH names the layer, then what the user's named: for the interpreters that a call starts.

    Args:
        layer: folders that stand in front.
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
    """Give a command's variables: all of the user's, the layer in front for any Python started from it.

    Args:
        layer: folders of modules that stand in front.
        programs: folders of programs that stand in front.
        environment: of the process that asks.
    """
    path = list(filter(None, environment.get("PATH", os.defpath).split(os.pathsep)))
    folders = [*programs, *(folder for folder in _list_program_folders() if folder not in path)]
    extended = {**environment, "PATH": os.pathsep.join([*folders, *path])}
    modules = [*layer, *filter(None, environment.get("PYTHONPATH", "").split(os.pathsep))]
    if modules:
        extended["PYTHONPATH"] = os.pathsep.join(modules)
    return extended


def _list_program_folders() -> list[str]:
    """Where this interpreter and the console scripts of its packages lie."""
    found = [str(Path(sys.executable).parent), sysconfig.get_path("scripts")]
    return [folder for folder in dict.fromkeys(found) if Path(folder).is_dir()]


def _is_kept(name: str) -> bool:
    if name.startswith("PYTHON"):
        return _KEPT_PYTHON.match(name) is not None
    if name.startswith(("UV_", "PIP_")):
        return _KEPT_INDEX.match(name) is not None
    return True

"""Finds and runs the uv program, with a clean environment and a time limit, and never leaves it running."""

from __future__ import annotations

import shutil
import subprocess
import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from tierproof._optional import require
from tierproof.core.credentials import hide_credentials
from tierproof.core.end_process import end_process
from tierproof.errors import MissingPackageError
from tierproof.guard.resolve.plan_error import PlanError

# What the uv package asks of sysconfig is not yet there while another thread asks for the first time.
_finding = threading.Lock()


@dataclass(frozen=True, slots=True)
class UvAnswer:
    """The result of uv: its exit status, its output, and its messages without credentials."""

    status: int
    output: str
    words: str


def find_uv() -> str:
    """Find the uv binary: the one of the uv package, else the one on PATH.

    Raises:
        MissingPackageError: uv is not installed.
    """
    try:
        package = require("uv", feature="to resolve packages")
        with _finding:
            return str(package.find_uv_bin())
    except (MissingPackageError, FileNotFoundError) as error:
        if found := shutil.which("uv"):
            return found
        raise MissingPackageError(
            "uv is needed to resolve packages, but it is not installed.",
            package="uv",
            feature="to resolve packages",
            command="pip install uv",
            hint="Install it with:  pip install uv\nIt is a single program and changes no other package.",
        ) from error


def run_uv(
    arguments: Sequence[str],
    *,
    environment: Mapping[str, str],
    folder: Path,
    limit_s: float,
    doing: str = "resolved",
) -> UvAnswer:
    """Run uv in a process group of its own and wait for it.

    Raises:
        PlanError: it did not end within `limit_s` seconds.
        BaseException: the exception that interrupts the wait, after uv and its children were killed.
    """
    process = subprocess.Popen(
        [find_uv(), *arguments],
        cwd=folder,
        env={**environment, "NO_COLOR": "1"},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        encoding="utf-8",
        errors="replace",
        start_new_session=True,
    )
    try:
        output, words = process.communicate(timeout=limit_s)
    except subprocess.TimeoutExpired as error:
        end_process(process)
        raise PlanError(
            f"the packages could not be {doing} within {limit_s:.0f} seconds",
            hint="Check that the package index is reachable, or add version bounds to shorten the search."
            if doing == "resolved"
            else "Check that the package index is reachable and fast enough.",
        ) from error
    except BaseException:
        end_process(process)
        raise
    return UvAnswer(process.returncode, output, hide_credentials(words.strip()))

"""A remote git repository, kept bare in the user's cache folder, and what is read of it."""

from __future__ import annotations

import contextlib
import hashlib
import os
import shutil
import signal
import subprocess
from collections.abc import Sequence
from pathlib import Path

from tierproof.errors import PlanError
from tierproof.guard.cache_folder import find_user_cache_folder
from tierproof.guard.run_uv import hide_credentials

_LIMIT_S = 600.0
# Nothing is asked of a person, and nothing of their configuration runs.
_QUIET = {"GIT_TERMINAL_PROMPT": "0", "GIT_ASKPASS": "true", "GIT_CONFIG_NOSYSTEM": "1", "LC_ALL": "C"}


def has_git() -> bool:
    """Whether the git program is there."""
    return shutil.which("git") is not None


class GitRepository:
    """A mirror of the history at `url`; file contents are fetched when they are read.

    Args:
        url: anything that git clones.
        folder: of the mirror; in the user's cache folder by default.
    """

    def __init__(self, url: str, folder: Path | None = None) -> None:
        self.url = url
        key = hashlib.sha256(url.encode()).hexdigest()[:16]
        self.folder = folder or find_user_cache_folder() / "repositories" / f"{key}.git"

    def update(self) -> None:
        """Fetch what is new; a mirror that a kill left half-made is made anew.

        Raises:
            PlanError: git cannot reach it, or it is no repository.
        """
        if not (self.folder / "HEAD").exists():
            shutil.rmtree(self.folder, ignore_errors=True)
            self.folder.parent.mkdir(parents=True, exist_ok=True)
            new = self.folder.with_name(f".new-{os.getpid()}-{self.folder.name}")
            try:
                run_git(["clone", "--bare", "--filter=blob:none", "--quiet", self.url, str(new)])
                with contextlib.suppress(OSError):  # another process was faster
                    new.rename(self.folder)
            finally:
                shutil.rmtree(new, ignore_errors=True)
            return
        run_git(["fetch", "--quiet", "--force", "origin", "HEAD"], self.folder)
        run_git(["update-ref", "HEAD", "FETCH_HEAD"], self.folder)

    def list_commits(self, path: str) -> list[tuple[str, str]]:
        """Give the commits that changed `path`, the newest first, each with its day."""
        told = run_git(["log", "--format=%H %cs", "HEAD", "--", path], self.folder)
        return [(line[:40], line[41:]) for line in told.splitlines() if line]

    def list_files(self, commit: str = "HEAD") -> frozenset[str]:
        """Give the names at the top of a commit's tree."""
        return frozenset(run_git(["ls-tree", "--name-only", commit], self.folder).splitlines())

    def read(self, commit: str, path: str) -> str:
        """Give the text of a file at a commit."""
        return run_git(["show", f"{commit}:{path}"], self.folder)

    def find_day(self, commit: str) -> str:
        """Give the day of a commit."""
        return run_git(["show", "--no-patch", "--format=%cs", commit], self.folder).strip()


def run_git(arguments: Sequence[str], folder: Path | None = None) -> str:
    """Run git in a process group of its own and give what it prints.

    Raises:
        PlanError: it fails, or takes longer than ten minutes.
        BaseException: whatever interrupts the wait, after git was killed.
    """
    process = subprocess.Popen(
        ["git", *arguments],
        cwd=folder,
        env={**os.environ, **_QUIET},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        encoding="utf-8",
        errors="replace",
        start_new_session=True,
    )
    try:
        output, words = process.communicate(timeout=_LIMIT_S)
    except BaseException as error:
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(process.pid, signal.SIGKILL)
        process.communicate()
        if isinstance(error, subprocess.TimeoutExpired):
            raise PlanError(
                f"git did not answer within {_LIMIT_S:.0f} seconds", hint="Is the network slow?"
            ) from error
        raise
    if process.returncode != 0:
        said = hide_credentials(" ".join(words.split()))[-400:]
        raise PlanError(
            f"git could not read the repository: {said}", hint="Check its address and the network."
        )
    return output

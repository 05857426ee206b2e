"""A bare copy of a git repository in the cache: fetched, and read without a working tree."""

from __future__ import annotations

import contextlib
import re
import shutil
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from tierproof.core.credentials import hide_credentials
from tierproof.core.end_process import end_process
from tierproof.images.store.folder_lock import lock_folder
from tierproof.images.store.image_source import ImageSourceError

_HEAD = "refs/heads/synced"
_FETCH_LIMIT_S = 900.0
_READ_LIMIT_S = 120.0
_UNWRITABLE = "Set XDG_CACHE_HOME (or TIERPROOF_CACHE) to a writable folder."
# Nothing that the caller's own repository or terminal would bring in; what reaches the network stays.
_DROPPED = re.compile(r"GIT_(?!SSL_|SSH|PROXY|HTTP_|ASKPASS|CONFIG_GLOBAL|CONFIG_SYSTEM)")
_SETTINGS = ("gc.auto=0", "maintenance.auto=false", "advice.detachedHead=false", "core.fsmonitor=false")


@dataclass(frozen=True, slots=True)
class PathChange:
    """A commit that left a file at `path`: new or changed; `at_s` is its time in seconds since 1970."""

    commit: str
    at_s: int
    path: str


def find_git() -> str:
    """Give the git program; empty where there is none."""
    return shutil.which("git") or ""


class GitRepository:
    """A repository at a URL, and its copy on this disk.

    Args:
        url: anything that git can fetch from; credentials in it are not stored.
        folder: for the copy.
        environment: SSL_CERT_FILE and the proxies in it are honoured.
    """

    def __init__(self, url: str, folder: Path, environment: Mapping[str, str]) -> None:
        self.url = url
        self.name = hide_credentials(url)
        self._root = folder
        self._folder = folder / "copy"
        self._environment = _clean(environment)

    def fetch(self) -> None:
        """Bring the copy up to the head of the repository; only what it lacks is transferred.

        A copy that turns out to be damaged is fetched anew.

        Raises:
            ImageSourceError: git fails, or takes longer than 15 minutes.
            EnvironmentBusyError: another process was fetching all that time.
            OutputError: the folder cannot be written to.
        """
        with lock_folder(self._root, limit_s=_FETCH_LIMIT_S, hint=_UNWRITABLE):
            self._prepare()
            try:
                self._fetch()
            except ImageSourceError:
                if self._is_intact():
                    raise
                self._fetch_anew()

    def list_changes(self, paths: Sequence[str]) -> tuple[PathChange, ...]:
        """List what changed any of `paths`, the newest first; a commit that removed one is left out."""
        output = self._ask(
            "log", "--raw", "--no-abbrev", "--no-renames", "-m", "--first-parent", "--diff-filter=AMT",
            "-z", "--format=commit %H %ct", _HEAD, "--", *paths,
        )  # fmt: skip
        return tuple(_parse_log(output.decode("utf-8", "replace")))

    def find_times(self, commits: Sequence[str]) -> dict[str, int]:
        """Give the time of each commit that the copy has, in seconds since 1970."""
        there = [name for name, (kind, _) in self.find_objects(commits).items() if kind == "commit"]
        if not there:
            return {}
        output = self._ask("log", "--no-walk=unsorted", "--format=%H %ct", *there).decode()
        return {commit: int(at_s) for commit, at_s in (line.split() for line in output.splitlines())}

    def find_objects(self, names: Sequence[str]) -> dict[str, tuple[str, int]]:
        """Give the kind and the size in bytes of each object that the copy has, by the name asked for.

        Args:
            names: a commit, or `COMMIT:PATH`.
        """
        if not names:
            return {}
        format_ = "--batch-check=%(objecttype) %(objectsize)"
        lines = self._ask("cat-file", format_, words="\n".join(names) + "\n").decode().splitlines()
        answers = zip(names, lines, strict=True)
        return {
            name: (line.split()[0], int(line.split()[1]))
            for name, line in answers
            if not line.endswith((" missing", " ambiguous"))
        }

    def read(self, name: str) -> bytes:
        """Read the file that `COMMIT:PATH` names."""
        return self._ask("cat-file", "blob", name)

    def _prepare(self) -> None:
        if not (self._folder / "HEAD").exists():
            shutil.rmtree(self._folder, ignore_errors=True)
            self._folder.mkdir(parents=True)
            self._run("init", "--bare", "--quiet", ".")
        # What a killed fetch has left half: git would append to it, whatever the server sends; its locks
        # nobody holds, since this process holds the folder's.
        for pattern in ("objects/pack/tmp_*", "objects/*/*.temp", "*.lock", "refs/**/*.lock"):
            for path in self._folder.glob(pattern):
                with contextlib.suppress(OSError):
                    path.unlink()

    def _fetch(self) -> None:
        self._run("fetch", "--no-tags", "--quiet", "--", self.url, f"+HEAD:{_HEAD}", limit_s=_FETCH_LIMIT_S)

    def _fetch_anew(self) -> None:
        shutil.rmtree(self._folder, ignore_errors=True)
        self._prepare()
        self._fetch()

    def _is_intact(self) -> bool:
        try:
            self._run("fsck", "--no-dangling", "--no-progress")
        except ImageSourceError:
            return False
        return True

    def _ask(self, *arguments: str, words: str = "") -> bytes:
        """Run git on the copy; a damaged copy is fetched anew."""
        try:
            return self._run(*arguments, words=words)
        except ImageSourceError:
            if self._is_intact():
                raise
        with lock_folder(self._root, limit_s=_FETCH_LIMIT_S, hint=_UNWRITABLE):
            self._fetch_anew()
        return self._run(*arguments, words=words)

    def _run(self, *arguments: str, limit_s: float = _READ_LIMIT_S, words: str = "") -> bytes:
        settings = [part for setting in _SETTINGS for part in ("-c", setting)]
        process = subprocess.Popen(
            [find_git() or "git", *settings, *arguments],
            cwd=self._folder,
            env={**self._environment, "GIT_DIR": str(self._folder)},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            start_new_session=True,
        )
        try:
            output, complaints = process.communicate(words.encode(), timeout=limit_s)
        except subprocess.TimeoutExpired as error:
            end_process(process)
            raise ImageSourceError(
                f"{self.name} did not answer within {limit_s:.0f} seconds",
                hint="Run the command again; lists that are already stored are not fetched twice.",
            ) from error
        except BaseException:
            end_process(process)
            raise
        if process.returncode != 0:
            said = hide_credentials(complaints.decode("utf-8", "replace").strip())
            raise ImageSourceError(
                f"git could not read {self.name}: {' '.join(said.split())[-300:] or 'it printed no message'}",
                hint=f"Check the address, the network and your access: git ls-remote {self.name}",
            )
        return output


def _clean(environment: Mapping[str, str]) -> dict[str, str]:
    clean = {name: value for name, value in environment.items() if not _DROPPED.match(name)}
    clean |= {"GIT_TERMINAL_PROMPT": "0", "LC_ALL": "C.UTF-8"}
    # A server that sends next to nothing for a minute counts as gone.
    clean |= {"GIT_HTTP_LOW_SPEED_LIMIT": "100", "GIT_HTTP_LOW_SPEED_TIME": "60"}
    if certificates := clean.get("SSL_CERT_FILE"):
        clean.setdefault("GIT_SSL_CAINFO", certificates)
    if proxy := clean.get("HTTP_PROXY"):
        clean.setdefault("http_proxy", proxy)  # libcurl reads that one in small letters alone
    return clean


def _parse_log(text: str) -> Iterator[PathChange]:
    """Read `git log --raw -z`: `commit HASH TIME`, then for each file a record and its path."""
    commit, at_s, changed = "", 0, False
    for part in text.split("\0"):
        field = part.strip("\n")
        if field.startswith("commit ") and not changed:
            _, commit, time = field.split()
            at_s = int(time)
        elif field.startswith(":") and not changed:
            changed = True
        elif changed:
            yield PathChange(commit, at_s, field)
            changed = False

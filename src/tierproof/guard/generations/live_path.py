"""The `sys.path` of fresh processes, as it is and as it will be, and the calling process's own entry in it."""

from __future__ import annotations

import importlib
import json
import os
import site
import sys
import sysconfig
from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path
from types import TracebackType

from tierproof.guard.capture.module_namespace import read_namespace
from tierproof.guard.generations.generation import Position
from tierproof.guard.generations.generation_path_file import choose_path_file, find_path_files, read_present
from tierproof.guard.generations.generation_store import GenerationStore
from tierproof.guard.generations.install_error import InstallError
from tierproof.guard.system.run_child import RunningChild, start_child
from tierproof.guard.system.search_path import change_search_path, read_search_path

_TELL_PATH = "import json, sys; print(json.dumps([each for each in sys.path if isinstance(each, str)]))"
_LIMIT_S = 60.0


class ChildPath:
    """The `sys.path` of a fresh Python of this environment, told by a real child, which starts at once.

    Whoever made it reads it later, when the child has long ended, and leaves the `with` block.
    """

    def __init__(self, executable: str = sys.executable) -> None:
        self._executable = executable
        self._path: tuple[str, ...] | None = None
        self._child: RunningChild | None = None
        try:
            self._child = start_child([executable, *_isolation_flags(), "-c", _TELL_PATH])
        except OSError as error:
            self._failure: Exception = error

    def __enter__(self) -> ChildPath:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._child is not None:
            self._child.end()

    def read(self) -> tuple[str, ...]:
        """Return the path.

        Raises:
            InstallError: the child did not start.
        """
        if self._path is None and self._child is not None:
            answer = self._child.wait(_LIMIT_S)
            self._child = None
            try:
                self._path = tuple(json.loads(answer.output.splitlines()[-1]))
            except (ValueError, IndexError) as error:
                self._failure = error
        if self._path is None:
            raise InstallError(
                f"cannot read the sys.path of {self._executable}, which was started to print it ({self._failure})",
                hint=f"Nothing was changed. Run `{self._executable} -c pass` to see whether this Python starts.",
            )
        return self._path


def foresee_path(
    store: GenerationStore, folder: Path | None, position: Position, child_path: ChildPath
) -> list[str]:
    """Return the `sys.path` that a fresh process will have once `folder` is activated.

    Args:
        store: whose generations.
        folder: the `site` of the new one, None for none at all.
        position: of it.
        child_path: the path before the activation.

    Raises:
        InstallError: it cannot be found out.
    """
    child = list(child_path.read())
    path = [entry for entry in child if store.find_by_site(entry) is None]
    if folder is None:
        return path
    files = find_path_files()
    target = choose_path_file(position, files)
    present = next((n for n, entry in enumerate(child) if store.find_by_site(entry) is not None), None)
    old = read_present(store, files)
    if present is not None and old is not None and old.file == target:
        child[present] = str(folder)
        return child
    found = None if target is None else _find_folder(path, target.parent)
    if found is not None:
        path.insert(found + 1, str(folder))
        return path
    roots = [n for n, entry in enumerate(path) if Path(entry).name in ("site-packages", "dist-packages")]
    if target is not None:  # the user's site directory, which stands on no path before it is made
        first = roots[0] if roots else len(path)
        path[first:first] = [str(target.parent), str(folder)]
    elif position is Position.FRONT:
        path.insert(roots[0] if roots else len(path), str(folder))
    else:
        path.append(str(folder))
    return path


def _find_folder(path: Sequence[str], folder: Path) -> int | None:
    real = os.path.realpath(folder)
    return next((n for n, entry in enumerate(path) if os.path.realpath(entry) == real), None)


class LiveEntry:
    """The entry of a generation in the `sys.path` of the calling process: put where a fresh process has it.

    Made before the path file is replaced, as what a fresh process will have is foreseen from what it has.

    Args:
        store: whose generations.
        folder: the `site` of the new one, None for none at all.
        position: of it.
        child_path: the path of a fresh process; None where fresh processes will not have the generation.
    """

    def __init__(
        self, store: GenerationStore, folder: Path | None, position: Position, child_path: ChildPath | None
    ) -> None:
        self._store = store
        self._wanted = "" if folder is None else str(folder)
        self._position = position
        self._child: Sequence[str] = ()
        self._unknown = ""
        try:
            if child_path is not None:
                self._child = foresee_path(store, folder, position, child_path)
        except InstallError as error:
            self._unknown = (
                f"{error.message}. The order of sys.path in this process may differ from a new one's."
            )

    def swap(self) -> tuple[str, ...]:
        """Let `sys.path` name the folder in place of another generation, as a restart would.

        Returns:
            a sentence if a fresh process could not be asked, so that the order may differ from a restart's.
        """
        wanted, child = self._wanted, self._child
        path = [entry for entry in read_search_path() if self._store.find_by_site(entry) is None]
        if wanted and wanted in child:
            user = site.getusersitepackages() if site.ENABLE_USER_SITE else ""
            path = place([wanted, *([user] if user in child else [])], path, child)
        elif wanted and self._position is Position.FRONT:
            path.insert(_find_first_site(path), wanted)
        elif wanted:
            path.append(wanted)
        change_search_path(path)
        importlib.invalidate_caches()
        _tell_pkg_resources(wanted)
        return (self._unknown,) if self._unknown else ()


def place(entries: Sequence[str], live: Sequence[str], child: Sequence[str]) -> list[str]:
    """Put `entries` into a live `sys.path` where a fresh process has them.

    Args:
        entries: those of `child` that the live path has not.
        live: the path of the running process.
        child: the path of a fresh one.
    """
    path = list(live)
    for entry in child:
        if entry not in entries or entry in path:
            continue
        before = child[: child.index(entry)]
        known = [item for item in before if item and item in path]
        path.insert(path.index(known[-1]) + 1 if known else len(path), entry)
    return path


def _find_first_site(path: Sequence[str]) -> int:
    sites = {os.path.realpath(each) for each in (*site.getsitepackages(), sysconfig.get_path("purelib"))}
    return next((n for n, entry in enumerate(path) if os.path.realpath(entry) in sites), len(path))


def _tell_pkg_resources(entry: str) -> None:
    """Let an imported pkg_resources see the entry: it reads sys.path only once."""
    working_set = read_namespace(sys.modules.get("pkg_resources")).get("working_set")
    if entry and working_set is not None:
        working_set.add_entry(entry)  # type: ignore[attr-defined]


@lru_cache(maxsize=1)
def _isolation_flags() -> tuple[str, ...]:
    flags = []
    if sys.flags.no_user_site:
        flags.append("-s")
    if sys.flags.ignore_environment:
        flags.append("-E")
    return tuple(flags)

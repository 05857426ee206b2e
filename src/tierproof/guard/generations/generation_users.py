"""Which live processes may have loaded packages of a generation.

A process has on its path the generation that was present when it started, those that it activated itself, and
after a fork all that its parent had. Pure Python leaves no trace outside a process, so this is judged by times
since boot, which a clock that is set back does not change.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

from tierproof.guard.capture.loaded_distributions import iterate_python_processes, read_mapped_files
from tierproof.guard.capture.module_namespace import iterate_modules, read_file
from tierproof.guard.generations.activation_history import (
    FOUND,
    Activation,
    is_beginning_lost,
    read_boot_id,
)
from tierproof.guard.generations.generation_store import GenerationStore
from tierproof.guard.system.process import PROC, parse_start_ticks

# A Python reads its path files some time after the system has started it.
START_SLACK_S = 10.0


@dataclass(frozen=True, slots=True)
class LiveProcess:
    """One live Python process of this user.

    Attributes:
        pid: of it.
        started_s: when it and each of its ancestors started, in seconds since boot, its own first.
        lineage: its pid and its ancestors'.
        mapped: the files it has mapped; None if that is hidden.
    """

    pid: int
    started_s: tuple[float, ...]
    lineage: tuple[int, ...]
    mapped: frozenset[str] | None


def find_live_processes() -> tuple[LiveProcess, ...] | None:
    """Find the other Python processes of this user that may use this environment; None if none can be seen."""
    if not (PROC / "self" / "stat").exists():
        return None
    return tuple(_look_at(process) for process in iterate_python_processes())


def find_users(
    store: GenerationStore,
    identifier: str,
    history: Sequence[Activation],
    processes: Iterable[LiveProcess],
    boot: str | None = None,
) -> tuple[int, ...]:
    """Return the pids of `processes` that may have loaded something of a generation."""
    spans = list_spans(identifier, history, read_boot_id() if boot is None else boot)
    activators = {entry.pid for entry in history if entry.generation == identifier}
    site = f"{store.site(identifier)}/"
    return tuple(
        process.pid
        for process in processes
        if process.mapped is None
        or any(file.startswith(site) for file in process.mapped)
        or not activators.isdisjoint(process.lineage)
        or any(
            began - START_SLACK_S <= start <= ended for start in process.started_s for began, ended in spans
        )
    )


def list_spans(identifier: str, history: Sequence[Activation], boot: str) -> tuple[tuple[float, float], ...]:
    """Return the spans, in seconds since this boot, in which a generation was the present one, or may have been.

    Of the time of which the history does not tell any more, because entries were deleted, each may have been.
    """
    spans = list(_list_untold(history, boot))
    lasting = [entry for entry in history if not entry.session_only]
    for at, entry in enumerate(lasting):
        if entry.generation == identifier:
            # One that was found later was present before, for as long as the entry before it can be wrong.
            first = max(at - 1, 0) if entry.action == FOUND else at
            ended = _read_moment(lasting[at + 1], boot) if at + 1 < len(lasting) else float("inf")
            spans.append((_read_moment(lasting[first], boot), ended))
    return tuple(spans)


def _list_untold(history: Sequence[Activation], boot: str) -> Iterator[tuple[float, float]]:
    if not history:
        yield 0.0, float("inf")
    elif is_beginning_lost(history):
        yield 0.0, _read_moment(history[0], boot)
    for before, after in pairwise(history):
        if after.number != before.number + 1:
            yield _read_moment(before, boot), _read_moment(after, boot)


def _read_moment(entry: Activation, boot: str) -> float:
    return entry.uptime_s if entry.boot == boot else 0.0


def find_loaded_added(store: GenerationStore) -> Mapping[str, str]:
    """Return the version of each added package that the calling process has imported, of whichever generation."""
    root = os.path.realpath(store.generations) + os.sep
    mark = f"{os.sep}{store.generations.name}{os.sep}"  # in each name by which a site comes onto sys.path
    found: dict[str, set[str]] = {}
    for _, _, namespace in iterate_modules():
        file = read_file(namespace)
        if mark not in file:  # a kernel has thousands of modules, and to resolve links takes a while
            continue
        path = os.path.realpath(file) if not file.startswith(root) else file
        if path.startswith(root):
            identifier, _, rest = path[len(root) :].partition(f"{os.sep}site{os.sep}")
            found.setdefault(identifier, set()).add(rest.replace(os.sep, "/"))
    versions: dict[str, str] = {}
    for identifier, files in found.items():
        for name, package in store.read(identifier).inventory.packages.items():
            if not files.isdisjoint(package.files):
                versions[name] = package.version
    return versions


def _look_at(process: Path) -> LiveProcess:
    lineage: list[int] = []
    started: list[float] = []
    pid = int(process.name)
    while pid > 1 and len(lineage) < 64:
        facts = _read_stat(pid)
        if facts is None:
            break
        lineage.append(pid)
        started.append(facts[1])
        pid = facts[0]
    mapped = read_mapped_files(process)
    return LiveProcess(
        int(process.name), tuple(started), tuple(lineage), None if mapped is None else frozenset(mapped)
    )


def _read_stat(pid: int) -> tuple[int, float] | None:
    """The parent of a process, and when it started in seconds since boot."""
    try:
        text = (PROC / str(pid) / "stat").read_text(errors="replace")
        parent = int(text[text.rindex(")") + 1 :].split()[1])
        return parent, parse_start_ticks(text) / os.sysconf("SC_CLK_TCK")
    except (OSError, ValueError, IndexError):
        return None

"""`tierproof.isolated`: run a function in a worker whose packages conflict with this kernel's."""

from __future__ import annotations

import atexit
import os
import sys
import threading
from collections.abc import Callable, Collection, Sequence
from types import TracebackType
from typing import Any

from tierproof.api.show.progress import ProgressOption, open_progress
from tierproof.errors import UsageError
from tierproof.guard.capture.base import capture_base
from tierproof.guard.isolate.isolated_layer import Layer, prepare_layer
from tierproof.guard.isolate.isolated_plan import IsolatedPlan, plan_isolated
from tierproof.guard.isolate.worker import DEFAULT_IDLE_S, Worker
from tierproof.guard.isolate.worker_state import WorkerState
from tierproof.guard.resolve.resolve import DEFAULT_LIMIT_S

_STEPS = 3


class IsolatedWorker:
    """A worker process that uses this kernel's packages, except for `requirements`, which take precedence.

    Use it as a context manager, or close it. It also ends with this process, and after `idle_s` without a call.
    Modules and global variables keep their state between calls.

    Args:
        requirements: what takes precedence, written as for pip; one string is one requirement.
        allow_build: names of packages that may be built from source; building runs their code.
        idle_s: seconds without a call after which the process ends by itself; the next call starts another.
        progress: a bar in a terminal or notebook while packages are fetched, or a function of (done, total, name).

    Raises:
        PlanRefused: no combination of versions satisfies the requirements; its `plan` says why.
        UnknownPackageError, PlanError, InstallError, UsageError: as their messages say.
    """

    def __init__(
        self,
        requirements: Sequence[str] | str,
        *,
        allow_build: Collection[str] = (),
        idle_s: float = DEFAULT_IDLE_S,
        progress: ProgressOption = True,
    ) -> None:
        asked = _read_requirements(requirements)
        self._planned, self._layer = _prepare(asked, allow_build, progress)
        self._worker = Worker(self._layer.modules, idle_s=idle_s)

    @property
    def state(self) -> WorkerState:
        """What takes precedence, whether the process lives, and how the last call went."""
        return WorkerState(
            self._planned.plan,
            self._planned.unhappy,
            str(self._layer.folder or ""),
            self._layer.made,
            self._worker.pid,
            self._worker.calls,
            self._worker.last_call,
        )

    def run(self, fn: Callable[..., Any], *args: Any, limit_s: float | None = None, **kwargs: Any) -> Any:
        """Call `fn(*args, **kwargs)` in the worker and return its result.

        Args:
            fn: the function; one that is defined in a notebook needs cloudpickle.
            *args: positional arguments; arrays and tensors go through shared memory, one copy each way.
            limit_s: time limit of the call in seconds; use `functools.partial` for a parameter of `fn` with that name.
            **kwargs: keyword arguments.

        Raises:
            WorkerTimeoutError: the call exceeded `limit_s`.
            WorkerDiedError: the process ended during the call.
            WorkerError: the exception or result of `fn` cannot be rebuilt in this process.
            BaseException: whatever `fn` raised; the worker's traceback is its cause.
        """
        if limit_s is not None and not limit_s > 0:
            raise UsageError(f"limit_s must be a positive number of seconds, not {limit_s!r}")
        return self._worker.run(fn, args, kwargs, limit_s=limit_s)

    def close(self) -> None:
        """End the process and everything it started. A later call starts a new one."""
        self._worker.close()

    def __enter__(self) -> IsolatedWorker:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _repr_html_(self) -> str:
        return self.state._repr_html_()

    def __repr__(self) -> str:
        return self.state.describe()


def isolated(
    requirements: Sequence[str] | str,
    fn: Callable[..., Any],
    *args: Any,
    limit_s: float | None = None,
    keep_warm: bool = True,
    allow_build: Collection[str] = (),
    progress: ProgressOption = True,
    **kwargs: Any,
) -> Any:
    """Run `fn(*args, **kwargs)` in a worker in which `requirements` take precedence over this kernel's packages.

    No installed or loaded package changes. The process is kept for further calls with the same
    requirements (`isolated_workers()` shows them) until this one ends, or for ten minutes without a call.

    Args:
        requirements: what takes precedence, written as for pip; one string is one requirement.
        fn: the function; one that is defined in a notebook needs cloudpickle.
        *args: positional arguments; arrays and tensors go through shared memory, one copy each way.
        limit_s: time limit of the call in seconds, without the preparation.
        keep_warm: False ends the process after the call.
        allow_build: names of packages that may be built from source; building runs their code.
        progress: a bar in a terminal or notebook while packages are fetched, or a function of (done, total, name).
        **kwargs: keyword arguments; use `functools.partial` for names that are parameters here.

    Raises:
        PlanRefused: no combination of versions satisfies the requirements; its `plan` says why.
        WorkerTimeoutError, WorkerDiedError, WorkerError: as `IsolatedWorker.run`.
        BaseException: whatever `fn` raised; the worker's traceback is its cause.
    """
    asked = _read_requirements(requirements)
    if not callable(fn):
        raise UsageError(
            f"fn must be a function, not {type(fn).__name__}",
            hint='For instance tp.isolated(["datasets>=4.4"], load, "squad"), where load is a function of yours.',
        )
    if not keep_warm:
        with IsolatedWorker(asked, allow_build=allow_build, progress=progress) as worker:
            return worker.run(fn, *args, limit_s=limit_s, **kwargs)
    return _WARM.take(asked, allow_build, progress).run(fn, *args, limit_s=limit_s, **kwargs)


def isolated_workers() -> tuple[WorkerState, ...]:
    """Return the state of the workers that `isolated` keeps for further calls."""
    return tuple(worker.state for worker in _WARM.list())


class _WarmWorkers:
    """The workers that are kept, by what was asked for."""

    def __init__(self) -> None:
        self._workers: dict[tuple[tuple[str, ...], tuple[str, ...]], IsolatedWorker] = {}
        self._turn = threading.Lock()

    def take(
        self, asked: tuple[str, ...], allow_build: Collection[str], progress: ProgressOption
    ) -> IsolatedWorker:
        key = (asked, tuple(sorted(allow_build)))
        with self._turn:
            if key not in self._workers:
                self._workers[key] = IsolatedWorker(asked, allow_build=allow_build, progress=progress)
            return self._workers[key]

    def list(self) -> list[IsolatedWorker]:
        return list(self._workers.values())

    def close(self) -> None:
        for worker in self.list():
            worker.close()

    def forget_lock(self) -> None:
        """In a forked child: whoever held it is not there."""
        self._turn = threading.Lock()


_WARM = _WarmWorkers()
atexit.register(_WARM.close)
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_WARM.forget_lock)


def _read_requirements(requirements: Sequence[str] | str) -> tuple[str, ...]:
    return (requirements,) if isinstance(requirements, str) else tuple(requirements)


def _prepare(
    asked: tuple[str, ...], allow_build: Collection[str], progress: ProgressOption
) -> tuple[IsolatedPlan, Layer]:
    with open_progress(progress) as show:
        show(0, _STEPS, "planning")
        planned = plan_isolated(asked, capture_base(), allow_build=allow_build, limit_s=DEFAULT_LIMIT_S)
        show(1, _STEPS, "looking for the worker's packages")
        layer = prepare_layer(planned, allow_build=allow_build, tell=lambda words: show(1, _STEPS, words))
        show(2, _STEPS, "starting the worker")
    if progress is True and (layer.made or planned.unhappy):
        sys.stderr.write(describe_layer(planned, layer))
    return planned, layer


def describe_layer(planned: IsolatedPlan, layer: Layer) -> str:
    """Say what was downloaded for the worker, and which packages may fail with it."""
    lines = []
    if layer.made:
        names = ", ".join(f"{item.name} {item.version}" for item in planned.plan.add)
        lines.append(f"tierproof: downloaded for the worker only: {names}.")
    if planned.unhappy:
        lines.append(f"tierproof: {planned.describe_unhappy()}")
    return "".join(f"{line}\n" for line in lines)

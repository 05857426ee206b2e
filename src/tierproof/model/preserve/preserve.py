"""Record a model and the process's settings, and restore both bit for bit."""

from __future__ import annotations

from contextlib import AbstractContextManager
from types import TracebackType

import torch
from torch import nn

from tierproof.model.preserve.interrupt_gate import InterruptGate
from tierproof.model.preserve.object_graph import ObjectGraph, collect_objects
from tierproof.model.preserve.process_state import ProcessState
from tierproof.model.preserve.restoration_error import RestorationError
from tierproof.model.preserve.script_state import record_script_modules
from tierproof.model.preserve.tensor_state import TensorRecord, back_up_storages

_SPARE_BYTES = 256 << 20
# Below this, comparing everything costs milliseconds, and no trust in version counters is needed.
_ALWAYS_COMPARED_TOTAL_BYTES = 64 << 20


def preserve(model: nn.Module) -> AbstractContextManager[ModelRecord]:
    """Context manager that records a model and the process's settings, and restores all of it on exit.

    It does not work on a copy: `deepcopy` refuses non-leaf tensors and breaks closures and views, and the checks
    must see the user's own model. It restores parameters (values, identity, storage, gradients, flags), buffers,
    attributes and containers at any depth, closures, class attributes, hooks, modes, random states and the settings
    in `process_state`. It takes the memory of one copy of parameters, buffers and gradients, and at most as much
    again (or 256 MiB) for tensors and arrays that are not registered.

    It does not restore variables of Python modules, threads, files, C objects, and the autograd history of a
    non-leaf tensor that was changed in place.

    Raises:
        RestorationError: on exit, when something could not be restored.
    """
    return _Preservation(model)


class ModelRecord:
    """The recorded state of a model and of the process.

    Attributes:
        skipped: what was not recorded, with the reason (it exceeds a size limit).
        lost: what changed and could not be restored by the last `restore`.
    """

    def __init__(self, model: nn.Module, gate: InterruptGate | None = None) -> None:
        self._model = model
        self._gate = gate or InterruptGate(())
        self._process = ProcessState()
        self._original = self._working = _ModelState(model)
        self.lost: tuple[str, ...] = ()

    @property
    def skipped(self) -> tuple[str, ...]:
        """What was not recorded, with the reason."""
        return tuple(self._working.skipped)

    def restore(self, full: bool = True) -> None:
        """Restore the model and the process's settings.

        Args:
            full: compare every byte with the copy, and undo a change noted by `note_change`. Otherwise
                large tensors are compared by identity, address and version, which misses only a write
                through `.data` into a tensor over 1 MiB of a model over 64 MiB.

        Raises:
            RestorationError: when something could not be restored; everything else was.
        """
        failures: list[str] = []
        self._gate.close()
        try:
            if full:
                self._working = self._original
            self.lost = tuple(self._working.restore(full, failures))
            self._process.restore(failures)
            self._gate.renew()
        finally:
            self._gate.open()
        if failures:
            raise RestorationError(
                f"{len(failures)} part(s) of the model could not be restored after the checks: "
                f"{'; '.join(failures[:5])}",
                hint="Load the model again before you use it.",
            )
        self._gate.deliver()

    def note_change(self) -> None:
        """Make the present state the one that `restore(full=False)` returns to, for instance on another device.

        The exit of `preserve` still restores the first state.
        """
        self._working = _ModelState(self._model)


class _ModelState:
    """The recorded state of everything mutable that a model reaches."""

    def __init__(self, model: nn.Module) -> None:
        graph = collect_objects(model)
        with torch.no_grad(), torch._C.DisableTorchFunction():
            self.tensors = [TensorRecord(path, tensor) for path, tensor in graph.tensors]
            registered = {id(tensor) for tensor in (*model.parameters(), *model.buffers())}
            registered |= {id(record.grad) for record in self.tensors if id(record.tensor) in registered}
            spare = max(_SPARE_BYTES, sum(t.nbytes for t in _iterate_dense(model)))
            self.storages, skipped = back_up_storages(self.tensors, registered, spare)
        self.records = [*graph.records, *record_script_modules(model)]
        self.skipped = [*graph.skipped, *skipped]
        self._graph: ObjectGraph = graph
        self._small = sum(getattr(s, "size_bytes", 0) for s in self.storages) <= _ALWAYS_COMPARED_TOTAL_BYTES

    def restore(self, full: bool, failures: list[str]) -> list[str]:
        """Restore everything; add what raised to `failures`, and return what is lost."""
        lost = []
        with torch.no_grad(), torch._C.DisableTorchFunction():
            for record in self.records:
                try:
                    record.restore()
                except Exception as error:  # noqa: BLE001 - told in RestorationError; the rest must go on
                    failures.append(f"{type(record).__name__} ({type(error).__name__}: {error})")
            for tensor in self.tensors:
                try:
                    lost.append(tensor.restore())
                except Exception as error:  # noqa: BLE001 - as above
                    failures.append(f"{tensor.path} ({type(error).__name__}: {error})")
            for storage in self.storages:
                try:
                    storage.restore(compare_all=full or self._small)
                except Exception as error:  # noqa: BLE001 - as above
                    failures.append(f"the values of {storage.path} ({type(error).__name__}: {error})")
            for tensor in self.tensors:
                tensor.reset_version()
        return [text for text in lost if text]


def _iterate_dense(model: nn.Module) -> list[torch.Tensor]:
    registered = (*model.parameters(), *model.buffers())
    return [tensor for tensor in registered if tensor.layout is torch.strided and not tensor.is_nested]


class _Preservation(AbstractContextManager["ModelRecord"]):
    """A class, not a generator: its `__exit__` must be reached before anything can interrupt it."""

    def __init__(self, model: nn.Module) -> None:
        self._model = model
        self._gate = InterruptGate((_Preservation.__exit__.__code__, InterruptGate.close.__code__))
        self._snapshot: ModelRecord | None = None

    def __enter__(self) -> ModelRecord:
        self._snapshot = ModelRecord(self._model, self._gate)
        self._gate.install()
        return self._snapshot

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        assert self._snapshot is not None
        interrupted = kind is not None and issubclass(kind, KeyboardInterrupt)
        self._gate.close()
        try:
            self._snapshot.restore(full=True)
        finally:
            self._gate.remove()  # while closed: an interrupt must not come between
            self._gate.open()
            self._gate.deliver(already_interrupted=interrupted)

"""The frame of every change to the added packages: locked, settled, and each error of the system a sentence."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager

from tierproof.core.system_errors import telling_system_errors
from tierproof.errors import OutputError
from tierproof.guard.generations.generation_store import GenerationStore
from tierproof.guard.generations.install_error import InstallError
from tierproof.guard.operations.settle_environment import settle_environment
from tierproof.guard.system.environment_lock import lock_environment

_LOCK_LIMIT_S = 900.0


@contextmanager
def change_environment(store: GenerationStore, *, must_record: bool = True) -> Iterator[None]:
    """Hold the lock of an environment, with what was cut off before settled.

    What an error leaves is the old state: `activate` comes last, and fails before its switch or not at all.

    Args:
        store: of the environment.
        must_record: whether an activation that a kill left unrecorded has to be recorded first. Without it a full
            disk is no obstacle; then what was recorded last counts as in use still.

    Raises:
        EnvironmentBusyError: another process has been changing this environment for too long.
        InstallError: the system refused a call that the change needs.
    """
    with changing(), lock_environment(store.folder, limit_s=_LOCK_LIMIT_S):
        try:
            settle_environment(store)
        except OutputError:
            if must_record:
                raise
        yield


def changing() -> AbstractContextManager[None]:
    """Make an error of the system an InstallError, as by what comes first in a change: capturing what is there."""
    return telling_system_errors(
        InstallError,
        "cannot change the added packages",
        "Nothing was changed. If the disk is full, run `tierproof gc` to remove added packages that are no longer "
        "used.",
    )

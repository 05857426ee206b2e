"""One at a time in a folder of images or of a cached repository."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path

from tierproof.errors import OutputError
from tierproof.guard.system.environment_lock import LOCK_NAME, EnvironmentBusyError, lock_environment


@contextlib.contextmanager
def lock_folder(folder: Path, *, limit_s: float, hint: str) -> Iterator[None]:
    """Make `folder` where it is absent, and hold its lock.

    Args:
        folder: which only its lock's holder changes.
        limit_s: how long to wait for another holder, in seconds.
        hint: of the error if the folder cannot be written to.

    Raises:
        EnvironmentBusyError: another process held it all that time.
        OutputError: the folder cannot be made, written to or locked.
    """
    with contextlib.ExitStack() as held:
        try:
            folder.mkdir(parents=True, exist_ok=True)
            held.enter_context(lock_environment(folder, limit_s=limit_s))
        except EnvironmentBusyError as error:
            raise EnvironmentBusyError(
                f"another process is changing {folder}",
                hint=f"Nothing was changed. Try again when that process is done. (The lock is {folder / LOCK_NAME}.)",
            ) from error
        except OutputError as error:
            raise OutputError(error.message, hint=hint) from error
        except OSError as error:
            raise OutputError(f"cannot write to {folder}: {error.strerror or error}", hint=hint) from error
        yield

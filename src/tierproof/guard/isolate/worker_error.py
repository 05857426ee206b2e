"""The errors of calls in a worker."""

from __future__ import annotations

from tierproof.errors import TierproofError


class WorkerError(TierproofError):
    """A call in a worker failed, and its own exception cannot be raised here.

    Attributes:
        remote_type: name of the exception's class, with its module; empty where there was none.
        remote_traceback: where it was raised, as text.
    """

    slug = "worker-failed"

    def __init__(
        self, message: str, *, hint: str = "", remote_type: str = "", remote_traceback: str = ""
    ) -> None:
        super().__init__(message, hint=hint)
        self.remote_type = remote_type
        self.remote_traceback = remote_traceback


class WorkerTimeoutError(WorkerError, TimeoutError):
    """A call in a worker exceeded its time limit."""

    slug = "worker-timeout"


class WorkerDiedError(WorkerError):
    """A worker process ended during a call.

    Attributes:
        signal_number: of the signal that killed it, or None.
        exit_status: with which it ended, or None.
        last_words: the end of what it printed.
    """

    slug = "worker-died"

    def __init__(
        self,
        message: str,
        *,
        hint: str = "",
        signal_number: int | None = None,
        exit_status: int | None = None,
        last_words: str = "",
    ) -> None:
        super().__init__(message, hint=hint)
        self.signal_number = signal_number
        self.exit_status = exit_status
        self.last_words = last_words

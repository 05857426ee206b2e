"""Errors a user may meet: each is one clear message with a next step."""

from __future__ import annotations


class TierproofError(Exception):
    """Base of all errors raised on purpose.

    Args:
        message: what is wrong, in one sentence or a short paragraph.
        hint: what to do next; empty only where the message already says it.
    """

    exit_code = 2

    def __init__(self, message: str, *, hint: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint

    def __str__(self) -> str:
        return f"{self.message}\n{self.hint}" if self.hint else self.message


class UsageError(TierproofError):
    """An option, argument or config value cannot be used."""


class TargetError(TierproofError):
    """The target does not lead to one module."""


class UntrustedCodeError(TargetError):
    """Loading would run code that the user has not trusted."""


class InputError(TierproofError):
    """No inputs could be worked out, or the given ones do not fit."""


class ForwardError(TierproofError):
    """The forward pass raised on every input tried.

    The message names the input shapes tried and the layers already executed.
    """


class HangError(TierproofError):
    """The check made no progress for longer than it was allowed to; the message says where it was."""


class DeviceError(TierproofError):
    """The requested device is absent or unusable."""


class OutputError(TierproofError):
    """A report could not be written where it was asked for."""


class MissingPackageError(TierproofError):
    """An optional package is absent; `package`, `feature` and `command` say which, why and how."""

    def __init__(self, message: str, *, package: str, feature: str, command: str, hint: str = "") -> None:
        super().__init__(message, hint=hint)
        self.package = package
        self.feature = feature
        self.command = command


class BrokenPackageError(TierproofError):
    """An optional package is installed but does not import; the cause is kept in `__cause__`."""

    def __init__(self, message: str, *, package: str, feature: str, hint: str = "") -> None:
        super().__init__(message, hint=hint)
        self.package = package
        self.feature = feature


class ImageSourceError(TierproofError):
    """Where images come from cannot be reached, or breaks off; what was stored before is there still."""


class PlanError(TierproofError):
    """No plan could be made: no network, an index that refuses, or too slow a search."""


class UnknownPackageError(PlanError):
    """No package index knows a requested name."""


class ProcessError(TierproofError):
    """A process cannot be looked into: it is gone, belongs to somebody else, or the system shows no maps."""


class HealError(TierproofError):
    """What is torn could not be mended, and was left as it was."""


class EnvironmentBusyError(TierproofError):
    """Another process is changing this environment, and did not finish in time."""


class InstallError(TierproofError):
    """Packages could not be fetched, verified or activated; what was there before is there still."""


class PlanRefused(TierproofError):  # noqa: N818 - the contract's name
    """An install that needs a consent which was not given, or cannot be. `plan` is the plan."""

    exit_code = 1

    def __init__(self, message: str, *, plan: object, hint: str = "") -> None:
        super().__init__(message, hint=hint)
        self.plan = plan


class WorkerError(TierproofError):
    """A call in a worker failed, and its own exception cannot be raised here.

    Attributes:
        remote_type: name of the exception's class, with its module; empty where there was none.
        remote_traceback: where it was raised, as text.
    """

    def __init__(
        self, message: str, *, hint: str = "", remote_type: str = "", remote_traceback: str = ""
    ) -> None:
        super().__init__(message, hint=hint)
        self.remote_type = remote_type
        self.remote_traceback = remote_traceback


class WorkerTimeoutError(WorkerError, TimeoutError):
    """A call in a worker took longer than it was allowed to."""


class WorkerDiedError(WorkerError):
    """A worker ended in the middle of a call.

    Attributes:
        signal_number: of the signal that killed it, or None.
        exit_status: with which it ended, or None.
        last_words: the end of what it printed.
    """

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

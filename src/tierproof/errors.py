"""Errors that every layer raises. A domain's own errors lie beside what they are about.

Each is one clear message with a next step. This is the whole tree, with the module of each class:

    TierproofError                  errors
      UsageError                    errors
      OutputError                   errors
      MissingPackageError           errors
      BrokenPackageError            errors
      DocumentError                 core.document
      CheckFailedError              core.check_failed
      TargetError                   model.load.target
        UntrustedCodeError          model.load.target
      InputError                    model.load.input_error
      ForwardError                  model.call.forward_error
      DeviceError                   model.sizes.device_error
      RestorationError              model.preserve.restoration_error
      HangError                     cli.check.hang_watch
      AuditError                    training.audit.parts.audit_error
      PlanError                     guard.resolve.plan_error
        UnknownPackageError         guard.resolve.plan_error
        BuildError                  guard.sources.build_metadata
      PlanRefused                   guard.judge.plan_refused
      InstallError                  guard.generations.install_error
      InstallStopped                extension.stopped
      HealError                     guard.mend.heal_error
      ProcessError                  guard.system.process
      EnvironmentBusyError          guard.system.environment_lock
      PathFileError                 guard.system.path_file
      WorkerError                   guard.isolate.worker_error
        WorkerTimeoutError          guard.isolate.worker_error
        WorkerDiedError             guard.isolate.worker_error
      ImageSourceError              images.store.image_source

`PlanRefused` and the errors of a worker can also be had from `tierproof` itself.
"""

from __future__ import annotations

EXIT_COULD_NOT_JUDGE = 2
"""The exit code for bad usage, a target that does not load, no network, or an inconclusive report."""


class TierproofError(Exception):
    """Base of all errors raised on purpose.

    Args:
        message: what is wrong, in one sentence or a short paragraph.
        hint: what to do next; empty only where the message already says it.

    Attributes:
        exit_code: of a command that ends with this error.
        slug: leads to the error's entry in docs/troubleshooting.md; empty only for this base.
    """

    exit_code = EXIT_COULD_NOT_JUDGE
    slug = ""

    def __init__(self, message: str, *, hint: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint

    def __str__(self) -> str:
        return f"{self.message}\n{self.hint}" if self.hint else self.message


class UsageError(TierproofError):
    """An option, argument or config value cannot be used."""

    slug = "usage"


class OutputError(TierproofError):
    """A report could not be written where it was asked for."""

    slug = "cannot-write"


class MissingPackageError(TierproofError):
    """An optional package is absent; `package`, `feature` and `command` say which, why and how."""

    slug = "missing-package"

    def __init__(self, message: str, *, package: str, feature: str, command: str, hint: str = "") -> None:
        super().__init__(message, hint=hint)
        self.package = package
        self.feature = feature
        self.command = command


class BrokenPackageError(TierproofError):
    """An optional package is installed but does not import; the cause is kept in `__cause__`."""

    slug = "broken-package"

    def __init__(self, message: str, *, package: str, feature: str, hint: str = "") -> None:
        super().__init__(message, hint=hint)
        self.package = package
        self.feature = feature

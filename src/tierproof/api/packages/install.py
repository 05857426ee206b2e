"""`tierproof.install`: add packages to the live kernel."""

from __future__ import annotations

from collections.abc import Callable, Collection
from typing import Unpack

from packaging.utils import canonicalize_name

from tierproof.api.packages.install_options import InstallKeywords
from tierproof.api.show.steps import open_steps
from tierproof.guard.capture.loaded_distributions import find_loaded_by_live_processes, find_loaded_here
from tierproof.guard.operations.install import InstallRequest, install_requirements
from tierproof.guard.operations.receipt import Receipt
from tierproof.guard.stage.consent import Consent


def install(
    *requirements: str,
    allow_shadow: bool = False,
    allow_aged: bool = False,
    waive: Collection[str] = (),
    allow_build: Collection[str] = (),
    trial: bool = True,
    limit_s: float = 600.0,
    on_step: Callable[[str], None] | None = None,
) -> Receipt:
    """Add packages to the running kernel. They can be imported at once, and no installed file changes.

    The request is planned first. Plans that are `satisfied` or `additive` are carried out; others need your
    consent.

    Args:
        requirements: `captum`, `"optuna>=4"`, `"ray[tune]"`, `"name @ URL"`, `"./package.whl"`.
        allow_shadow: allow other versions to take precedence over installed packages that no running process
            has loaded.
        allow_aged: allow requested packages to be much older than their latest release.
        waive: names of installed packages whose declared version bounds may be ignored.
        allow_build: names of packages that may be built from source; building runs their code.
        trial: import the new packages in a child process first.
        limit_s: time limit in seconds, for each of the resolution, the download and the trial.
        on_step: called with a description of each step; by default the steps are shown in a terminal or notebook.

    Raises:
        PlanRefused: the plan needs a consent that was not given, or conflicts with what is loaded; its `plan`
            says why.
        InstallError: a package could not be fetched, verified or activated; the existing installation is
            unchanged.
        UsageError, UnknownPackageError, PlanError, MissingPackageError: as for `plan`.
    """
    consent = _make_consent(
        allow_shadow=allow_shadow, allow_aged=allow_aged, waive=waive, allow_build=allow_build, trial=trial
    )
    with open_steps(on_step) as show:
        return install_requirements(
            InstallRequest(
                requirements, consent, find_loaded_here, in_process=True, limit_s=limit_s, on_step=show
            )
        )


def install_for_new_processes(
    *requirements: str, on_step: Callable[[str], None], **keywords: Unpack[InstallKeywords]
) -> Receipt:
    """Add packages to this environment for processes that start from now on, as `tierproof install` does.

    Raises:
        TierproofError: as `install`.
    """
    consent = _make_consent(**keywords)
    return install_requirements(
        InstallRequest(
            requirements, consent, find_loaded_by_live_processes, in_process=False, on_step=on_step
        )
    )


def _make_consent(
    *,
    allow_shadow: bool = False,
    allow_aged: bool = False,
    waive: Collection[str] = (),
    allow_build: Collection[str] = (),
    trial: bool = True,
) -> Consent:
    return Consent(
        allow_shadow,
        allow_aged,
        frozenset(canonicalize_name(name) for name in waive),
        frozenset(canonicalize_name(name) for name in allow_build),
        trial,
    )

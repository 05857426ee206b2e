"""`tierproof.install`: add packages to the live kernel."""

from __future__ import annotations

from collections.abc import Callable, Collection

from packaging.utils import canonicalize_name

from tierproof.api.show.steps import open_steps
from tierproof.guard.capture.loaded_distributions import find_loaded_here
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
    """Add packages, usable at once, without a restart. No file that is installed changes.

    What is asked for is planned first. `satisfied` and `additive` plans are carried out; others need consent.

    Args:
        requirements: `captum`, `"optuna>=4"`, `"ray[tune]"`, `"name @ URL"`, `"./package.whl"`.
        allow_shadow: other versions may stand before installed packages that nobody has loaded.
        allow_aged: requested packages may come markedly older than their latest release.
        waive: installed packages on which the declared bounds may be waived.
        allow_build: names that may be built from source; building runs their code.
        trial: import what is added in a child process first.
        limit_s: seconds for each of the resolution, the download and the trial.
        on_step: told what is being done; by default it is shown in a terminal or a notebook.

    Raises:
        PlanRefused: it needs a consent that was not given, or conflicts with what is loaded; `plan` says why.
        InstallError: it could not be fetched, verified or activated; what was there is there still.
        UsageError, UnknownPackageError, PlanError, MissingPackageError: as for `plan`.
    """
    consent = Consent(
        allow_shadow,
        allow_aged,
        frozenset(canonicalize_name(name) for name in waive),
        frozenset(canonicalize_name(name) for name in allow_build),
        trial,
    )
    with open_steps(on_step) as show:
        return install_requirements(
            InstallRequest(
                requirements, consent, find_loaded_here, in_process=True, limit_s=limit_s, on_step=show
            )
        )

"""Optional packages: imported where they are needed, told apart when absent or broken."""

from __future__ import annotations

import importlib
import importlib.util
from types import ModuleType

from tierproof.errors import BrokenPackageError, MissingPackageError

_EXTRAS = {
    "torch": "torch",
    "transformers": "hf",
    "safetensors": "hf",
    "matplotlib": "plots",
    "captum": "tier2",
    "nbformat": "notebooks",
    "jupyter_client": "notebooks",
}
_COMMANDS = {"torch": "pip install torch", "networkx": "pip install networkx"}


def require(package: str, *, feature: str) -> ModuleType:
    """Import an optional package or say what it is for.

    Args:
        package: import name, for instance `transformers`.
        feature: what needs it, as it reads after "is needed", for instance "to load hf: targets".

    Raises:
        MissingPackageError: it is not installed; nothing is ever installed silently.
        BrokenPackageError: it is installed and its import fails; the cause is kept.
    """
    try:
        return importlib.import_module(package)
    except ModuleNotFoundError as error:
        if error.name != package:
            raise _broken(package, feature, error) from error
        command = _COMMANDS.get(package, f'pip install "tierproof[{_EXTRAS.get(package, package)}]"')
        raise MissingPackageError(
            f"{package} is needed {feature}, and is not installed.",
            package=package,
            feature=feature,
            command=command,
            hint=(
                f"Install it with:  {command}\n"
                f"It adds {package} and its dependencies. Plain pip may replace packages that a running "
                "notebook has loaded: run it before the first import, or restart the kernel afterwards."
            ),
        ) from error
    except Exception as error:
        raise _broken(package, feature, error) from error


def is_installed(package: str) -> bool:
    """Tell whether `package` could be found, without importing it."""
    return importlib.util.find_spec(package) is not None


def _broken(package: str, feature: str, error: Exception) -> BrokenPackageError:
    cause = f"{type(error).__name__}: {error}"
    return BrokenPackageError(
        f"{package} is needed {feature}; it is installed but its import fails: {cause}",
        package=package,
        feature=feature,
        hint=(
            f"Installing {package} again does not help if another package is the cause: "
            "repair the package that the error names."
        ),
    )

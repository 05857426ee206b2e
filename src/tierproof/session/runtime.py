"""Which kind of notebook this is, and what its machine has. Nothing heavy is imported, so it works on a torn kernel."""

from __future__ import annotations

import importlib.metadata
import importlib.util
import os
import platform
import sys
from dataclasses import dataclass

from tierproof.session.gpu_memory import GpuMemory, read_gpu_memory

_WATCHED = ("numpy", "torch", "transformers")


@dataclass(frozen=True, slots=True)
class Runtime:
    """What this kernel runs on.

    Attributes:
        kind: `Colab`, `Kaggle` or `Jupyter`.
        image: name of the hosted image, or of the operating system.
        python: its version.
        gpus: with their memory; empty where there is none.
        packages: what matters, each with its version as loaded, as installed, or "not installed".
    """

    kind: str
    image: str
    python: str
    gpus: tuple[GpuMemory, ...]
    packages: tuple[tuple[str, str], ...]

    def describe(self) -> tuple[str, ...]:
        """Give it in three lines."""
        gpus = ", ".join(gpu.describe() for gpu in self.gpus) or "none; the CPU is used"
        return (
            f"Runtime: {self.kind}, {self.image}, Python {self.python}",
            f"GPU: {gpus}",
            "Packages: " + ", ".join(f"{name} {version}" for name, version in self.packages),
        )


def find_runtime() -> Runtime:
    """Look at this kernel and its machine."""
    return Runtime(
        find_kind(),
        _find_image(),
        platform.python_version(),
        read_gpu_memory(),
        tuple((name, _find_version(name)) for name in _WATCHED),
    )


def find_kind() -> str:
    """Tell Colab, Kaggle and Jupyter apart."""
    if has_colab():
        return "Colab"
    return "Kaggle" if "KAGGLE_KERNEL_RUN_TYPE" in os.environ else "Jupyter"


def has_colab() -> bool:
    """Tell whether Colab's own module is there, without importing it."""
    if "google.colab" in sys.modules:
        return True
    try:
        return importlib.util.find_spec("google.colab") is not None
    except (ImportError, ValueError):  # no `google`, or one that is no package
        return False


def _find_image() -> str:
    if tag := os.environ.get("COLAB_RELEASE_TAG", ""):
        return f"image {tag}"
    try:
        return platform.freedesktop_os_release().get("PRETTY_NAME", platform.system())
    except OSError:
        return f"{platform.system()} {platform.release()}"


def _find_version(name: str) -> str:
    module = sys.modules.get(name)
    try:
        installed = importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        return "not installed"
    if module is None:
        return installed
    loaded = str(getattr(module, "__version__", installed))
    return f"{loaded} (loaded)" if loaded == installed else f"{loaded} (loaded; {installed} on disk)"

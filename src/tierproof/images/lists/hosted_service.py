"""The machine that a notebook would run on: what decides its branches. What is not known decides nothing."""

from __future__ import annotations

import re
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from packaging.utils import canonicalize_name


class Service(StrEnum):
    """Who offers the machine."""

    COLAB = "colab"
    KAGGLE = "kaggle"
    OTHER = "other"


# The value of a variable that is set to some text, which differs from kernel to kernel.
SOME_TEXT = "\0some text"
# Variables that the service itself sets in every kernel. A value of None: to what is not known, perhaps to nothing.
_VARIABLES: Mapping[Service, Mapping[str, str | None]] = {
    Service.COLAB: {
        "COLAB_GPU": None,
        "COLAB_RELEASE_TAG": SOME_TEXT,
        "COLAB_BACKEND_VERSION": "next",
        "COLAB_JUPYTER_IP": SOME_TEXT,
        "COLAB_JUPYTER_TRANSPORT": "ipc",
        "COLAB_JUPYTER_ALLOW_ORIGIN_PAT": None,
        "COLAB_KERNEL_MANAGER_PROXY_HOST": SOME_TEXT,
        "COLAB_KERNEL_MANAGER_PROXY_PORT": SOME_TEXT,
        "COLAB_LANGUAGE_SERVER_PROXY": None,
        "COLAB_NOTEBOOK_METADATA": None,
    },
    Service.KAGGLE: {
        "KAGGLE_KERNEL_RUN_TYPE": SOME_TEXT,
        "KAGGLE_KERNEL_INTEGRATIONS": None,
        "KAGGLE_CONTAINER_NAME": SOME_TEXT,
        "KAGGLE_URL_BASE": "https://www.kaggle.com",
        "KAGGLE_USER_SECRETS_TOKEN": SOME_TEXT,
        "KAGGLE_DATA_PROXY_TOKEN": SOME_TEXT,
        "KAGGLE_DATA_PROXY_PROJECT": None,
        "KAGGLE_DATA_PROXY_URL": SOME_TEXT,
        "KAGGLE_DOCKER_IMAGE": None,
    },
    Service.OTHER: {},
}
# A variable, module or folder of this kind is a service's own: elsewhere it is absent.
_FOREIGN = re.compile(
    r"COLAB|KAGGLE|DATABRICKS|SAGEMAKER|PAPERSPACE|LIGHTNING_CLOUD|DEEPNOTE|BINDER_|SPACE_ID", re.IGNORECASE
)
_MODULES: Mapping[Service, tuple[str, ...]] = {
    Service.COLAB: ("google.colab",),
    Service.KAGGLE: ("kaggle_secrets", "kaggle_datasets", "kaggle_web_client"),
    Service.OTHER: (),
}
_FOLDERS: Mapping[Service, tuple[str, ...]] = {
    Service.COLAB: ("/content", "/content/sample_data"),
    Service.KAGGLE: ("/kaggle", "/kaggle/input", "/kaggle/working"),
    Service.OTHER: (),
}
_SHELLS = {Service.COLAB: "google.colab._shell", Service.KAGGLE: "ipykernel.zmqshell"}
# Modules whose distribution has another name.
_DISTRIBUTIONS = {
    "PIL": "pillow",
    "bs4": "beautifulsoup4",
    "cv2": "opencv-python",
    "dateutil": "python-dateutil",
    "skimage": "scikit-image",
    "sklearn": "scikit-learn",
    "yaml": "pyyaml",
}


@dataclass(frozen=True)
class HostedService:
    """One machine.

    Attributes:
        service: who offers it.
        python: full version of the kernel's Python; empty if it is not known.
        packages: what is installed, by normalised name, with versions.
        hardware: `cpu`, `gpu` or `tpu`; empty if it is not known.
    """

    service: Service = Service.OTHER
    python: str = ""
    packages: Mapping[str, str] = field(default_factory=dict)
    hardware: str = ""

    @property
    def shell_module(self) -> str:
        """The module of the kernel's shell, as `str(get_ipython())` shows it; empty if it is not known."""
        return _SHELLS.get(self.service, "")

    @property
    def home(self) -> str:
        """The folder that notebooks run in; empty if it is not known."""
        return (
            next(iter(_FOLDERS[self.service]), "")
            if self.service is not Service.KAGGLE
            else "/kaggle/working"
        )

    def has_variable(self, name: str) -> bool | None:
        """Tell whether an environment variable is set; None if that is not known."""
        if name in _VARIABLES[self.service]:
            return True
        return False if self._is_foreign(name) else None

    def has_variable_like(self, part: str) -> bool | None:
        """Tell whether a variable is set whose name contains `part`; None if that is not known."""
        if part and any(part in name for name in _VARIABLES[self.service]):
            return True
        return False if self._is_foreign(part) else None

    def variable(self, name: str) -> str | None:
        """Return the value of a variable that is set; None if it is not known."""
        return _VARIABLES[self.service].get(name)

    def has_module(self, name: str) -> bool | None:
        """Tell whether a module can be imported; None if that is not known."""
        own = _MODULES[self.service]
        if any(name == module or name.startswith(f"{module}.") for module in own):
            return True
        if any(
            name == module or name.startswith(f"{module}.")
            for modules in _MODULES.values()
            for module in modules
        ):
            return False
        top = name.partition(".")[0]
        if top in sys.stdlib_module_names or self.version(top):
            return True
        return None

    def version(self, module: str) -> str:
        """Return the version of the package that a top-level module belongs to; empty if it is not known."""
        return self.packages.get(_DISTRIBUTIONS.get(module, canonicalize_name(module)), "")

    def has_folder(self, path: str) -> bool | None:
        """Tell whether a folder of the service is there; None for any other path."""
        name = path.rstrip("/")
        if name in _FOLDERS[self.service]:
            return True
        return False if any(name in folders for folders in _FOLDERS.values()) else None

    def _is_foreign(self, name: str) -> bool:
        """Tell whether a name is that of another service."""
        return _FOREIGN.search(name) is not None and self.service.value not in name.lower()


def find_service(name: str, packages: Mapping[str, str]) -> Service:
    """Tell from the name of an image, or from its packages, who offers it."""
    if name.lower().startswith("kaggle") or "kaggle-environments" in packages:
        return Service.KAGGLE
    if name.lower().startswith("colab") or "google-colab" in packages:
        return Service.COLAB
    return Service.OTHER

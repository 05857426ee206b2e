"""A part of a hosted image that installs here: its own pins, in a virtual environment made once and kept.

No torch, jax or TensorFlow, and nothing that has no wheel for this machine. The packages need one another and
little else, so that what `pip check` finds broken is what is broken on the image as well (IPython without jedi).
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from packaging.utils import canonicalize_name

from tierproof.guard.resolve.run_uv import find_uv
from tierproof.images.lists.image_contents import read_contents
from tierproof.images.lists.image_index import Image

_NAMES = """
pip setuptools wheel numpy pandas scipy matplotlib scikit-learn pillow pyarrow bottleneck numexpr
contourpy cycler fonttools kiwisolver pyparsing joblib threadpoolctl python-dateutil pytz tzdata six
requests urllib3 idna charset-normalizer certifi httpx httpcore h11 anyio sniffio aiohttp
aiohappyeyeballs aiosignal frozenlist multidict propcache yarl attrs pydantic pydantic-core
annotated-types typing-inspection typing-extensions openai jiter distro tqdm huggingface-hub hf-xet
filelock fsspec pyyaml packaging tokenizers transformers safetensors regex datasets dill
multiprocess xxhash ipython ipykernel ipython-genutils jupyter-client jupyter-core debugpy psutil
nest-asyncio traitlets matplotlib-inline parso backcall decorator pickleshare prompt-toolkit wcwidth
pygments pexpect ptyprocess tornado pyzmq platformdirs entrypoints ipywidgets widgetsnbextension
jupyterlab-widgets protobuf sqlalchemy greenlet beautifulsoup4 soupsieve click rich markdown-it-py
mdurl jinja2 markupsafe
"""
PACKAGES = tuple(_NAMES.split())
KERNEL = "import ipykernel.kernelapp, numpy, pandas, matplotlib.pyplot"
SOURCE = Path(__file__).resolve().parents[1] / "src"
_LIST = """
import importlib.metadata, json
found = importlib.metadata.distributions()
print(json.dumps([(each.metadata["Name"], each.version) for each in found]))
"""
_LOADED = """
import json
from tierproof.guard.capture.installed import capture_installed
from tierproof.guard.capture.loaded_distributions import find_loaded_here
print(json.dumps(sorted(find_loaded_here(capture_installed()).names)))
"""
_INDEX_SETTINGS = ("PIP_CERT", "PIP_DEFAULT_TIMEOUT", "PIP_INDEX_URL", "PIP_CACHE_DIR", "UV_CACHE_DIR")


@dataclass(frozen=True)
class Subset:
    """The part of the image that is installed.

    Attributes:
        folder: the virtual environment.
        image: the same packages as an image, on this Python and an older glibc than this machine's.
        packages: version by normalised name.
        imports: what a process that installs has imported.
        loaded: normalised names of what is loaded by that.
    """

    folder: Path
    image: Image
    packages: dict[str, str]
    imports: str
    loaded: frozenset[str]


def make_subset(
    image: Image, interpreter: str, folder: Path, names: Sequence[str] = PACKAGES, imports: str = KERNEL
) -> Subset:
    """Install the pins that `image` has for `names`, and describe the result as an image of its own.

    Raises:
        subprocess.CalledProcessError: not all of it installs here.
    """
    python = folder / "env" / "bin" / "python"
    if not (folder / "complete").exists():
        shutil.rmtree(folder, ignore_errors=True)
        print("making the subset of the image (once)", file=sys.stderr, flush=True)
        subprocess.run([interpreter, "-m", "venv", "--without-pip", folder / "env"], check=True)
        install = [
            find_uv(),
            "pip",
            "install",
            "-q",
            "--no-deps",
            "--only-binary",
            ":all:",
            "--link-mode",
            "copy",
        ]
        pins = list_pins(image, names)
        subprocess.run([*install, "--python", python, *pins], env=describe_index(), check=True)
        (folder / "complete").touch()
    packages = list_packages(python, folder)
    listed = folder / "freeze.txt"
    listed.write_text("".join(f"{name}=={version}\n" for name, version in sorted(packages.items())))
    version = ask(python, "import json, platform; print(json.dumps(platform.python_version()))", folder)
    return Subset(
        folder / "env",
        Image(f"{image.label} (subset)", "cpu", listed, str(version), image.os, image.date),
        packages,
        imports,
        frozenset(ask(python, f"{imports}\n{_LOADED}", folder)),
    )


def list_pins(image: Image, names: Sequence[str]) -> list[str]:
    """Give `name==version` for each of `names`, as the image has it."""
    versions = {item.name: item.version for item in read_contents(image).file.packages}
    return [f"{name}=={versions[name]}" for name in names]


def list_packages(python: Path, data: Path) -> dict[str, str]:
    """Give the versions of what importlib finds, by normalised name."""
    return {canonicalize_name(name): version for name, version in ask(python, _LIST, data)}


def ask(python: Path, code: str, data: Path) -> Any:
    """Run code that prints one JSON document at its end, and give that."""
    done = subprocess.run(
        [python, "-c", code], env=describe_process(data), capture_output=True, text=True, check=True
    )
    return json.loads(done.stdout.splitlines()[-1])


def describe_process(data: Path) -> dict[str, str]:
    """Environment variables for a process of the subset; what tierproof adds is kept in `data`."""
    path = os.pathsep.join([str(Path(find_uv()).parent), os.environ["PATH"]])
    return {
        **describe_index(),
        "PATH": path,
        "PYTHONPATH": str(SOURCE),
        "TIERPROOF_DATA": str(data),
        "NO_COLOR": "1",
    }


def describe_index() -> dict[str, str]:
    """Environment variables with which pip and uv ask one and the same index: PyPI, or what PIP_INDEX_URL names."""
    kept = {
        name: value
        for name, value in os.environ.items()
        if name in _INDEX_SETTINGS or not name.startswith(("PIP_", "UV_", "PYTHON", "VIRTUAL_ENV"))
    }
    return {**kept, "PIP_CONFIG_FILE": os.devnull, "PIP_DISABLE_PIP_VERSION_CHECK": "1"}

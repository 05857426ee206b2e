"""What an image has, by name and version: of a stored list, or of this interpreter."""

from __future__ import annotations

import platform
from collections.abc import Mapping
from dataclasses import dataclass, field

from tierproof.core.json_value import JsonValue
from tierproof.guard.installed import capture_installed
from tierproof.images.freeze_file import find_python
from tierproof.images.image_index import Image
from tierproof.images.image_store import check_list

FORMAT_VERSION = 1
_UNKNOWN = "?"
_NOTABLE = """
    numpy pandas scipy matplotlib scikit-learn pyarrow pillow protobuf torch jax tensorflow transformers
    datasets huggingface-hub tokenizers ipython ipykernel
"""


@dataclass(frozen=True, slots=True)
class PackageList:
    """The packages of an image.

    Attributes:
        label: what it is called.
        python: its Python; empty where nobody tells.
        versions: by normalised name; `?` where the list tells none.
        os: its system; empty where nobody tells.
        hardware: `cpu`, `gpu` or `tpu`.
        date: ISO, or empty.
        skipped: lines of the list that name no package, each with its reason.
    """

    label: str
    python: str
    versions: Mapping[str, str] = field(default_factory=dict)
    os: str = ""
    hardware: str = "cpu"
    date: str = ""
    skipped: tuple[str, ...] = ()

    @property
    def notable(self) -> dict[str, str]:
        """Versions of the packages that notebooks most often break on."""
        return {name: self.versions[name] for name in _NOTABLE.split() if name in self.versions}

    def to_dict(self) -> dict[str, JsonValue]:
        """Give the `images show --json` document."""
        return {
            "format_version": FORMAT_VERSION,
            "image": self.label,
            "hardware": self.hardware,
            "python": self.python,
            "os": self.os,
            "date": self.date,
            "packages": [
                {"name": name, "version": version} for name, version in sorted(self.versions.items())
            ],
            "skipped": list(self.skipped),
        }

    def to_text(self, *, everything: bool = False) -> str:
        """Give it as lines of text; with every package, or with the notable ones."""
        facts = [f"Python {self.python or 'unknown'}", self.os, self.date, f"{len(self.versions)} packages"]
        lines = [f"{self.label}: {', '.join(fact for fact in facts if fact)}"]
        shown = dict(sorted(self.versions.items())) if everything else self.notable
        width = max((len(name) for name in shown), default=0)
        lines += [f"  {name.ljust(width)}  {version}" for name, version in shown.items()]
        if not everything and len(shown) < len(self.versions):
            lines.append(f"  … and {len(self.versions) - len(shown)} more; --all shows them")
        if self.skipped:
            lines.append(f"{len(self.skipped)} lines name no package that can be kept:")
            lines += [f"  {each}" for each in self.skipped]
        return "\n".join(lines)


def read_packages(image: Image) -> PackageList:
    """Read the list of a stored image.

    Raises:
        UsageError: it cannot be read, or is cut off.
    """
    file = check_list(image.read_text(), str(image.path), image.packages)
    return PackageList(
        image.label,
        image.python or find_python(file),
        {item.name: item.version or _UNKNOWN for item in file.packages},
        image.os,
        image.hardware,
        image.date,
        tuple(f"line {each.line}: {each.reason}: {each.text}" for each in file.skipped),
    )


def read_packages_here() -> PackageList:
    """Read what is installed in this interpreter."""
    return PackageList(
        "here",
        platform.python_version(),
        {item.name: item.version for item in capture_installed()},
        f"{platform.system()} {platform.machine()}",
    )

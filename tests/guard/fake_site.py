"""Synthetic distributions: a package folder and a dist-info with a true RECORD."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Mapping
from pathlib import Path


def digest(content: bytes) -> str:
    return "sha256=" + base64.urlsafe_b64encode(hashlib.sha256(content).digest()).decode().rstrip("=")


def install(root: Path, name: str, version: str, files: Mapping[str, str]) -> Path:
    """Write a distribution into `root`; its dist-info."""
    metadata = root / f"{name.replace('-', '_')}-{version}.dist-info"
    everything = {
        **files,
        f"{metadata.name}/METADATA": f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n",
        f"{metadata.name}/INSTALLER": "pip\n",
    }
    lines = []
    for path, text in everything.items():
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        content = text.encode()
        (root / path).write_bytes(content)
        lines.append(f"{path},{digest(content)},{len(content)}")
    lines += [f"{metadata.name}/RECORD,,", f"{name}/__pycache__/x.cpython-311.pyc,,"]
    (metadata / "RECORD").write_text("\n".join(lines) + "\n")
    return metadata

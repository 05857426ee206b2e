"""The digest of a file's content."""

from __future__ import annotations

import base64
import hashlib
from pathlib import Path


def hash_file(path: Path) -> str:
    """Give the SHA-256 of a file's content in hexadecimal.

    Raises:
        OSError: the file cannot be read.
    """
    return _digest(path, "sha256").hex()


def hash_for_record(path: Path, algorithm: str = "sha256") -> str:
    """Give the digest of a file's content as a wheel's RECORD writes it: URL-safe base64 without padding.

    Raises:
        OSError: the file cannot be read.
    """
    return base64.urlsafe_b64encode(_digest(path, algorithm)).decode().rstrip("=")


def _digest(path: Path, algorithm: str) -> bytes:
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, algorithm).digest()

"""Digests of files, in hexadecimal and as RECORD writes them."""

from __future__ import annotations

import base64
import hashlib
from pathlib import Path

import pytest

from tierproof.core.hash_file import hash_file, hash_for_record


def test_both_spellings_are_those_of_hashlib(tmp_path: Path) -> None:
    path = tmp_path / "file"
    content = b"content" * 100_000
    path.write_bytes(content)
    assert hash_file(path) == hashlib.sha256(content).hexdigest()
    padded = base64.urlsafe_b64encode(hashlib.sha256(content).digest()).decode()
    assert padded.endswith("=")
    assert hash_for_record(path) == padded.rstrip("=")
    assert (
        base64.urlsafe_b64decode(hash_for_record(path, "sha512") + "==") == hashlib.sha512(content).digest()
    )


def test_an_absent_file_is_an_os_error(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        hash_file(tmp_path / "absent")

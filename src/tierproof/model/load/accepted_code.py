"""Record the code that the user has accepted with `--trust`, by its SHA-256."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from pathlib import Path

from tierproof.model.load.target import TargetError

_FILE_NAME = "accepted-code.txt"


def digest_files(files: Mapping[str, bytes]) -> str:
    """One SHA-256 over names and contents, independent of their order."""
    whole = hashlib.sha256()
    for name in sorted(files):
        content = files[name]
        whole.update(f"{len(name.encode())} {name} {len(content)} ".encode())
        whole.update(content)
    return whole.hexdigest()


def is_accepted(digest: str, data_folder: Path) -> bool:
    """Whether the user has accepted this code before."""
    try:
        lines = (data_folder / _FILE_NAME).read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError):
        return False
    return any(line.partition(" ")[0] == digest for line in lines)


def record_accepted(digest: str, target: str, data_folder: Path) -> None:
    """Remember that the user accepted this code.

    Raises:
        TargetError: when the record cannot be written.
    """
    if is_accepted(digest, data_folder):
        return
    try:
        data_folder.mkdir(parents=True, exist_ok=True)
        with (data_folder / _FILE_NAME).open("a", encoding="utf-8") as stream:
            stream.write(f"{digest} {target}\n")
    except OSError as error:
        raise TargetError(
            f"cannot record in {data_folder} that you trust this model's code: {error.strerror or error}",
            hint="Set $TIERPROOF_DATA to a writable folder.",
        ) from error

"""What Colab alone has: an upload dialog, a download, a drive. Elsewhere each says what to do instead."""

from __future__ import annotations

import importlib
import os
from pathlib import Path
from typing import Any

from tierproof.errors import OutputError, UsageError
from tierproof.session.runtime import has_colab

DRIVE = Path(os.environ.get("TIERPROOF_DRIVE") or "/content/drive")
_OUR_FOLDER = "tierproof"


def upload_files() -> dict[str, bytes]:
    """Ask for files by Colab's dialog.

    Raises:
        UsageError: this is not Colab, or nothing was uploaded.
    """
    if not has_colab():
        raise UsageError(
            "this notebook has no upload dialog: only Colab has one",
            hint="Upload the file in the file browser. Then choose `path` as the source in the form above, and enter "
            "the file's name as the value.",
        )
    uploaded: dict[str, bytes] = _files().upload()
    if not uploaded:
        raise UsageError("nothing was uploaded", hint="Run the cell again and choose a file.")
    return uploaded


def download_file(path: Path) -> str:
    """Hand a file to the browser; say what happened."""
    if not has_colab():
        return f"Download the archive in the file browser: {path}"
    _files().download(str(path))
    return f"The browser downloads {path.name}."


def mount_drive(mount_point: Path = DRIVE) -> Path:
    """Mount the drive; give the folder for what tierproof keeps there.

    Raises:
        UsageError: this is not Colab.
        OutputError: it could not be mounted.
    """
    if not has_colab():
        raise UsageError(
            "Google Drive can only be mounted on Colab",
            hint="Enter a folder in the field drive_folder, for instance one on a shared disk.",
        )
    try:
        importlib.import_module("google.colab.drive").mount(str(mount_point))
    except Exception as error:
        raise OutputError(
            f"the drive could not be mounted: {error}",
            hint="Allow access to Google Drive in the dialog, and run the cell again.",
        ) from error
    return mount_point / "MyDrive" / _OUR_FOLDER


def _files() -> Any:
    return importlib.import_module("google.colab.files")

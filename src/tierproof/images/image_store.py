"""The folder of images: freeze lists, and an index that says what each is."""

from __future__ import annotations

import difflib
import json
import os
import re
from collections.abc import Mapping
from pathlib import Path

from tierproof.core.atomic_write import write_text_atomically
from tierproof.errors import OutputError, UsageError
from tierproof.guard.environment_folder import find_user_data_folder
from tierproof.guard.environment_lock import lock_environment
from tierproof.images.freeze_file import FreezeFile, parse_freeze
from tierproof.images.image_index import Image, read_entries, read_entry, read_index

INDEX = "index.json"
_LIMIT_S = 30.0
_NAME = re.compile(r"[A-Za-z0-9][\w.:+-]{0,100}\Z")
_NOTABLE = ("numpy", "torch", "transformers")


def find_images_folder() -> Path:
    """Give the folder of images: `$TIERPROOF_IMAGES`, else one in the user's data folder. Not made here."""
    override = os.environ.get("TIERPROOF_IMAGES")
    return Path(override) if override else find_user_data_folder() / "images"


def list_images(folder: Path | None = None) -> tuple[Image, ...]:
    """List the stored images, the newest first; none where there is no folder yet.

    Raises:
        UsageError: the index cannot be read.
    """
    place = find_images_folder() if folder is None else folder
    if not (place / INDEX).exists():
        return ()
    return tuple(sorted(read_index(place), key=lambda image: (image.date, image.name), reverse=True))


def find_stored_image(name: str, folder: Path | None = None) -> Image:
    """Find `NAME[-cpu|-gpu|-tpu]`, without hardware the CPU's; `colab:latest` is the newest.

    Raises:
        UsageError: there is no such image; the message names those that come near.
    """
    images = list_images(folder)
    if not images:
        raise UsageError(
            f"there is no image {name!r}: the folder of images is empty",
            hint="Run `tierproof images sync` once, or `tierproof images add FILE`.",
        )
    for image in images:
        if name in (image.label, f"{image.name}-{image.hardware}"):
            return image
    latest, _, hardware = name.partition("-")
    if latest.endswith(":latest"):
        wanted = hardware or "cpu"
        for image in images:
            if image.hardware == wanted and image.name.startswith(latest.removesuffix("latest")):
                return image
    labels = list(dict.fromkeys(image.label for image in images))
    near = difflib.get_close_matches(name, labels, n=4, cutoff=0.5) or labels[:4]
    raise UsageError(
        f"there is no image {name!r}",
        hint=f"Did you mean {', '.join(near)}? `tierproof images list` shows all {len(labels)}.",
    )


def check_list(text: str, source: str, promised: int = 0) -> FreezeFile:
    """Parse a freeze list that comes from outside, and refuse what is none or is cut off.

    Args:
        text: of the list.
        source: what it is called in an error.
        promised: how many lines an index promises; 0 where none does.

    Raises:
        UsageError: it is an HTML page, names no package, or ends too early.
    """
    if "\0" in text:
        raise UsageError(f"{source} is no text", hint="It must be what `pip freeze` prints.")
    if text.lstrip("\ufeff \r\n")[:1] == "<":
        raise UsageError(
            f"{source} is an HTML page, not a list of packages",
            hint="Was an error page saved? Download the raw file.",
        )
    file = parse_freeze(text, source=source)
    lines = [line for line in text.splitlines() if line.strip() and not line.lstrip().startswith("#")]
    if promised and len(lines) < promised:
        raise UsageError(
            f"{source} is cut off: it has {len(lines)} packages, and its index promises {promised}"
        )
    if file.skipped and not text.endswith("\n") and lines[-1].strip().startswith(file.skipped[-1].text):
        raise UsageError(f"{source} is cut off: it ends in {file.skipped[-1].text!r}")
    return file


def store_image(
    entry: Mapping[str, object], text: str, folder: Path | None = None, *, replace: bool = False
) -> None:
    """Put an image into the store: its list first, then the index, each by a rename.

    Args:
        entry: as in an `index.json`; `file`, `packages` and the notable versions are filled in here.
        text: of its freeze list.
        folder: of the store.
        replace: take the place of an image of the same name and hardware.

    Raises:
        UsageError: the list is none, a field is missing, or there is such an image.
        OutputError: the folder cannot be written.
        EnvironmentBusyError: another process is writing there.
    """
    place = find_images_folder() if folder is None else folder
    name, hardware = str(entry.get("image") or ""), str(entry.get("hardware") or "cpu")
    if not _NAME.match(name):
        raise UsageError(
            f"{name!r} is no name for an image",
            hint="Letters, digits and . : _ - are taken, such as lab:2026.07",
        )
    file = check_list(text, f"the list of {name}", _read_count(entry))
    versions = {item.name: item.version for item in file.packages}
    stored = {
        "commit": None,
        "date": None,
        "pinned": False,
        "python": None,
        "os": None,
        **entry,
        "image": name,
        "hardware": hardware,
        "file": f"{re.sub(r'[^A-Za-z0-9.]+', '-', name)}-{hardware}.txt",
        "packages": len(file.packages) + len(file.skipped),
        **{each: versions.get(each) for each in _NOTABLE},
    }
    read_entry(stored, 1, place)
    try:
        place.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise OutputError(
            f"cannot make {place}: {error.strerror}",
            hint="Set TIERPROOF_IMAGES to a folder that you may write to.",
        ) from error
    with lock_environment(place, limit_s=_LIMIT_S):
        entries = read_entries(place) if (place / INDEX).exists() else []
        same = [each for each in entries if (each.get("image"), each.get("hardware")) == (name, hardware)]
        if same and not replace:
            raise UsageError(
                f"there is an image {name!r} for {hardware} already", hint="--replace takes its place."
            )
        write_text_atomically(place / str(stored["file"]), text)
        kept = [each for each in entries if each not in same]
        write_text_atomically(place / INDEX, json.dumps([*kept, stored], indent=1) + "\n")


def _read_count(entry: Mapping[str, object]) -> int:
    count = entry.get("packages")
    return count if isinstance(count, int) else 0

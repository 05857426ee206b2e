"""The user's folder of hosted images: freeze lists, and the index that names them."""

from __future__ import annotations

import contextlib
import difflib
import os
import re
import time
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

from tierproof.core.atomic_write import write_text_atomically
from tierproof.core.user_folders import find_user_data_folder
from tierproof.errors import UsageError
from tierproof.images.lists.freeze_file import FreezeFile
from tierproof.images.lists.image_index import INDEX_NAME, Image, format_index, read_index, split_label
from tierproof.images.lists.verify_list import VerifiedList, digest_list
from tierproof.images.store.folder_lock import lock_folder

_LOCK_LIMIT_S = 30.0
_DIGITS = 12
_KEPT_FILE = re.compile(rf".+-[0-9a-f]{{{_DIGITS}}}\.txt\Z")
_UNFINISHED = re.compile(r"\.(index\.json|.+\.txt)\.[^.]+\Z")
# Longer than any reader holds an index in hand before it opens a list.
_SWEEP_AFTER_S = 3600.0
_UNWRITABLE = "Set TIERPROOF_IMAGES to a writable folder."


def find_images_folder() -> Path:
    """Give the folder of images: `$TIERPROOF_IMAGES`, else in the user's data folder. Not made here."""
    if override := os.environ.get("TIERPROOF_IMAGES"):
        return Path(override).expanduser()
    return find_user_data_folder() / "images"


def list_images(folder: Path | None = None) -> tuple[Image, ...]:
    """List the images of a folder, the newest first; none where it has no index.

    Args:
        folder: the user's folder of images by default.

    Raises:
        UsageError: the index cannot be read, or is not valid.
    """
    try:
        images = read_index(find_images_folder() if folder is None else folder)
    except UsageError as error:
        if isinstance(error.__cause__, FileNotFoundError):
            return ()
        raise
    return sort_images(images)


def sort_images(images: Sequence[Image]) -> tuple[Image, ...]:
    """Give the newest image first; of one image, the CPU's list before the others."""
    by_hardware = sorted(images, key=lambda image: image.hardware)
    return tuple(sorted(by_hardware, key=_tell_age, reverse=True))


def find_stored_image(name: str, folder: Path | None = None) -> Image:
    """Find `NAME[-cpu|-gpu|-tpu]` in the folder of images; `colab:latest` is the newest of `colab:`.

    Raises:
        UsageError: the index cannot be read, is empty, or has no such image; near misses are named.
    """
    folder = find_images_folder() if folder is None else folder
    images = list_images(folder)
    if not images:
        raise UsageError(
            f"there is no image {name!r}: no image is stored in {folder}",
            hint="Run `tierproof images sync` first, or `tierproof images add FILE --name NAME`.",
        )
    wanted, hardware = split_label(name)
    service, _, version = wanted.partition(":")
    for image in images:
        if image.hardware != hardware:
            continue
        if image.name == wanted or (version == "latest" and image.name.startswith(f"{service}:")):
            return image
    raise UsageError(f"there is no image {name!r}", hint=_suggest(name, wanted, images))


def store_image(
    image: Image, verified: VerifiedList, folder: Path | None = None, *, replace_other: bool = True
) -> Image:
    """Keep an image and its list; an interruption leaves the index as it was, or with the image in it.

    Args:
        image: its path, counts and digest are filled in here.
        verified: its list.
        folder: the user's folder of images by default; made where it is absent.
        replace_other: replace the image of this name and hardware.

    Raises:
        UsageError: the image exists and may not be replaced, or the index is not valid.
        OutputError: the folder cannot be written to.
        EnvironmentBusyError: another process keeps writing there.
    """
    folder = find_images_folder() if folder is None else folder
    kept = _fill_in(image, verified, folder)
    with lock_folder(folder, limit_s=_LOCK_LIMIT_S, hint=_UNWRITABLE):
        known = list_images(folder)
        others = [each for each in known if (each.name, each.hardware) != (image.name, image.hardware)]
        if len(others) < len(known) and not replace_other:
            raise UsageError(
                f"nothing was stored, because the image {image.label} already exists",
                hint="Choose another name, or pass --replace to replace it.",
            )
        write_text_atomically(kept.path, verified.text)  # before the index, which must name what is there
        images = sort_images([*others, kept])
        write_text_atomically(folder / INDEX_NAME, format_index(images))
        _sweep(folder, {each.path.name for each in images})
    return kept


def is_intact(image: Image) -> bool:
    """Tell whether the stored list is there, and the one that was stored."""
    try:
        content = image.path.read_bytes()
    except OSError:
        return False
    return not image.sha256 or digest_list(content) == image.sha256


def _fill_in(image: Image, verified: VerifiedList, folder: Path) -> Image:
    stem = re.sub(r"[^A-Za-z0-9.]+", "-", image.name).strip("-.") or "image"
    # Named by its content, so that a list is never replaced while an index names it.
    file = f"{stem}-{image.hardware}-{verified.sha256[:_DIGITS]}.txt"
    return replace(
        image,
        path=folder / file,
        packages=len(verified.file.packages),
        numpy=_find_version(verified.file, "numpy"),
        torch=_find_version(verified.file, "torch"),
        transformers=_find_version(verified.file, "transformers"),
        sha256=verified.sha256,
    )


def _find_version(file: FreezeFile, name: str) -> str:
    return next((item.version for item in file.packages if item.name == name), "")


def _tell_age(image: Image) -> tuple[str, str]:
    month = re.search(r":(\d{4})[.-](\d{2})\Z", image.name)
    return image.date or (f"{month[1]}-{month[2]}" if month else ""), image.name


def _suggest(name: str, wanted: str, images: Sequence[Image]) -> str:
    labels = [image.label for image in images]
    same = [image.label for image in images if image.name == wanted]
    digits = re.sub(r"\D", "", wanted)
    twins = [each.label for each in images if digits and re.sub(r"\D", "", each.name) == digits]
    near = difflib.get_close_matches(name, labels, n=3, cutoff=0.6)
    named = list(dict.fromkeys([*same, *twins, *near]))[:4]
    hint = f"Did you mean {', '.join(named)}? " if named else ""
    return f"{hint}Run `tierproof images list` to see all {len(labels)}, `tierproof images sync` to fetch newer ones."


def _sweep(folder: Path, named: set[str]) -> None:
    """Remove lists that no index has named for an hour, and what a killed writer left behind."""
    for path in _iterate_old_files(folder, named):
        with contextlib.suppress(OSError):
            path.unlink()


def _iterate_old_files(folder: Path, named: set[str]) -> Iterator[Path]:
    for path in folder.iterdir():
        ours = _KEPT_FILE.match(path.name) or _UNFINISHED.match(path.name)
        if ours and path.name not in named:
            with contextlib.suppress(OSError):
                if time.time() - path.stat().st_mtime > _SWEEP_AFTER_S:
                    yield path

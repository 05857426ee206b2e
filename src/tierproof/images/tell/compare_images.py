"""Compare two images, and find out which of the changed packages have native code."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from tierproof.errors import MissingPackageError, UsageError
from tierproof.guard.resolve.index_settings import IndexSettings, read_index_settings
from tierproof.guard.resolve.plan_error import PlanError
from tierproof.images.base.native_cache import open_native_cache
from tierproof.images.base.native_code import find_native
from tierproof.images.lists.image_contents import ImageContents
from tierproof.images.tell.image_diff import ImageDiff, diff_images


def compare_images(
    before: ImageContents,
    after: ImageContents,
    *,
    ask_index: bool = False,
    environment: Mapping[str, str] | None = None,
    cache_path: Path | None = None,
) -> ImageDiff:
    """Compare two images; the result says if it is unknown whether a package is native.

    Args:
        before: the first.
        after: the second.
        ask_index: ask the package index about the rest; otherwise only what it said before is used.
        environment: where index settings are read; this process's by default.
        cache_path: of what the index said before; in the user's cache folder by default.
    """
    names = {item.name for item in diff_images(before, after).changed}
    settings = read_index_settings(environment) if ask_index else None
    native: dict[tuple[str, str], bool] = {}
    notes: list[str] = []
    for contents in (before, after):
        found, note = _ask(contents, names, settings, cache_path)
        # Two images may take different wheels of one release: native on one of them is native.
        native |= {release: told or native.get(release, False) for release, told in found.items()}
        notes += [note] if note and note not in notes else []
        if note:
            settings = None  # an index that does not answer once is not waited for twice
    return diff_images(before, after, native=native, notes=tuple(notes))


def _ask(
    contents: ImageContents, names: set[str], settings: IndexSettings | None, cache_path: Path | None
) -> tuple[dict[tuple[str, str], bool], str]:
    cache = open_native_cache(cache_path)
    try:
        return find_native(contents, names, settings, cache), ""
    except (PlanError, MissingPackageError) as error:
        return (
            find_native(contents, names, None, cache),
            f"cannot ask the package index which packages have native code: {error.message}",
        )
    except UsageError as error:
        return {}, f"cannot tell which packages of {contents.image.label} have native code: {error.message}"

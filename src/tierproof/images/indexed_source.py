"""A source of images that has an `index.json`: a folder, or the same on a web server."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from pathlib import Path
from urllib.parse import urljoin

from tierproof.errors import UsageError
from tierproof.guard.run_uv import hide_credentials
from tierproof.guard.wheel_metadata import fetch
from tierproof.images.image_index import parse_entries, read_entries, read_entry
from tierproof.images.remote_image import RemoteImage

LARGEST_BYTES = 5_000_000


def list_folder(folder: Path) -> tuple[RemoteImage, ...]:
    """List the images of a folder.

    Raises:
        UsageError: it has no index, or one that is none.
    """
    entries = read_entries(folder)
    return tuple(
        RemoteImage(entry, partial(_read_file, read_entry(entry, number, folder).path))
        for number, entry in enumerate(entries, 1)
    )


def list_web(url: str, environment: Mapping[str, str]) -> tuple[RemoteImage, ...]:
    """List the images below a URL.

    Args:
        url: of the folder.
        environment: its SSL_CERT_FILE is honoured.

    Raises:
        UsageError: what lies there is no index.
        OSError: it cannot be reached.
    """
    base = f"{url.rstrip('/')}/"
    shown = hide_credentials(base)
    entries = parse_entries(fetch_text(urljoin(base, "index.json"), environment), f"{shown}index.json")
    found = []
    for number, entry in enumerate(entries, 1):
        name = read_entry(entry, number, Path("/")).path.name
        found.append(RemoteImage(entry, partial(fetch_text, urljoin(base, name), environment)))
    return tuple(found)


def fetch_text(url: str, environment: Mapping[str, str]) -> str:
    """Fetch a text.

    Raises:
        OSError: it cannot be reached.
        UsageError: it is too large or no text.
    """
    content = fetch(url, environment)
    if len(content) > LARGEST_BYTES:
        raise UsageError(f"{hide_credentials(url)} is too large for a list: {len(content)} bytes")
    try:
        return content.decode("utf-8")
    except UnicodeDecodeError as error:
        raise UsageError(f"{hide_credentials(url)} is no text: {error.reason}") from error


def _read_file(path: Path) -> str:
    if path.stat().st_size > LARGEST_BYTES:
        raise UsageError(f"{path} is too large for a list")
    try:
        return path.read_text(encoding="utf-8")
    except UnicodeDecodeError as error:
        raise UsageError(f"{path} is no text: {error.reason}") from error

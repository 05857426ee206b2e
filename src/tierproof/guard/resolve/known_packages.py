"""Asks the configured indexes whether they have a name, after a resolution failed."""

from __future__ import annotations

from pathlib import Path
from urllib.error import HTTPError
from urllib.parse import urlsplit
from urllib.request import url2pathname

from packaging.utils import canonicalize_name

from tierproof.guard.resolve.index_settings import IndexSettings
from tierproof.guard.resolve.wheel_metadata import fetch

_ABSENT = (404, 410)


def is_unknown(name: str, settings: IndexSettings) -> bool:
    """Tell whether every index and every `find-links` was asked for `name` and none has it.

    False if one of them could not be asked, because the name may be there.
    """
    if not settings.index_urls and not settings.find_links:
        return False
    return all(_index_lacks(name, url, settings) for url in settings.index_urls) and all(
        _links_lack(name, link, settings) for link in settings.find_links
    )


def _index_lacks(name: str, index: str, settings: IndexSettings) -> bool:
    url = f"{index.rstrip('/')}/{name}/"
    parts = urlsplit(url)
    if parts.scheme == "file":
        return not Path(url2pathname(parts.path)).exists()
    if parts.scheme == "":
        return not (Path(index) / name).exists()
    try:
        fetch(url, settings.environment)
    except HTTPError as error:
        return error.code in _ABSENT
    except (OSError, ValueError):
        return False
    return False


def _links_lack(name: str, link: str, settings: IndexSettings) -> bool:
    parts = urlsplit(link)
    if parts.scheme in ("", "file"):
        folder = Path(url2pathname(parts.path)) if parts.scheme else Path(link).expanduser()
        if not folder.is_dir():
            return not folder.is_file()
        return not any(canonicalize_name(path.name.split("-")[0]) == name for path in folder.iterdir())
    try:
        page = fetch(link, settings.environment).decode("utf-8", "replace").lower()
    except (OSError, ValueError):
        return False
    return name not in page and name.replace("-", "_") not in page

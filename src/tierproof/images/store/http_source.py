"""The published lists of Colab's images, read file by file over HTTP when git is not installed.

Without the history, only the latest lists and those of the pinned runtimes in the README are available.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

from tierproof.core.credentials import hide_credentials
from tierproof.errors import UsageError
from tierproof.images.lists.image_index import Image
from tierproof.images.lists.verify_list import LARGEST_LIST_BYTES
from tierproof.images.store.colab_repository import (
    LISTS,
    README,
    SYSTEM_FILES,
    name_month,
    parse_readme,
    parse_system,
)
from tierproof.images.store.image_source import Offer, OfferedList, Offers
from tierproof.images.store.read_from_web import download

_HEAD = "HEAD"
_GITHUB = re.compile(r"https?://github\.com/([^/]+)/([^/]+?)(?:\.git)?/?\Z")


class HttpSource:
    """What a server gives at `URL/REVISION/FILE`.

    Args:
        url: before the revision; a repository's page on GitHub stands for its raw files.
        environment: for `download`.
        today: the day that the head's lists are of, ISO; the present day in UTC by default.
    """

    def __init__(self, url: str, environment: Mapping[str, str], today: str = "") -> None:
        match = _GITHUB.match(url)
        self._url = f"https://raw.githubusercontent.com/{match[1]}/{match[2]}" if match else url.rstrip("/")
        self.name = hide_credentials(self._url)
        self._environment = environment
        self._today = today or datetime.now(UTC).date().isoformat()

    def list_offers(self) -> Offers:
        """List the head, by the month in which it is asked, and the pinned runtimes, on each hardware."""
        readme = self._get(_HEAD, README)
        if readme is None:
            raise UsageError(
                f"{self.name} has neither an index.json nor HEAD/README.md",
                hint="Name a folder with an index.json, a git repository, or the URL of its raw files.",
            )
        offers = []
        for runtime in parse_readme(readme.decode("utf-8", "replace")):
            for hardware in LISTS:
                image = Image(runtime.name, hardware, Path(), runtime.python, runtime.os, pinned=True)
                offers.append(Offer(replace(image, commit=runtime.commit), runtime.commit))
        for hardware in LISTS:
            head = Image(name_month(self._today), hardware, Path(), "", date=self._today)
            offers.append(Offer(head, _HEAD))
        return Offers(offers)

    def read(self, offer: Offer) -> OfferedList | None:
        """Read a list and the file about its system; None where that hardware has none."""
        image = offer.image
        content = self._get_first(offer.location, LISTS[image.hardware])
        if content is None:
            return None
        about = self._get_first(offer.location, SYSTEM_FILES[image.hardware]) or b""
        python, system = parse_system(about.decode("utf-8", "replace"))
        return OfferedList(content, python or image.python, system or image.os)

    def _get_first(self, revision: str, names: tuple[str, ...]) -> bytes | None:
        for name in names:
            content = self._get(revision, name)
            if content is not None:
                return content
        return None

    def _get(self, revision: str, name: str) -> bytes | None:
        url = f"{self._url}/{revision}/{name}"
        return download(url, limit_bytes=LARGEST_LIST_BYTES, environment=self._environment)

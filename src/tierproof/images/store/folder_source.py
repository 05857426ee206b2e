"""A folder with an `index.json` as a source of images: on this machine or on the web."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from urllib.parse import quote, unquote

from tierproof.core.credentials import hide_credentials
from tierproof.errors import UsageError
from tierproof.images.lists.image_contents import read_list_file
from tierproof.images.lists.image_index import INDEX_NAME, Image, parse_index, read_entry
from tierproof.images.store.image_source import Offer, OfferedList, Offers

# A folder that only gives entries something to be beside of.
_NOWHERE = Path("/nowhere")


class FolderSource:
    """Images that an index names.

    Args:
        name: what the folder is called in messages.
        read_file: gives the content of a file in it, or None where there is none.
    """

    def __init__(self, name: str, read_file: Callable[[str], bytes | None]) -> None:
        self.name = hide_credentials(name)
        self._read_file = read_file

    def list_offers(self) -> Offers:
        """Read the index; an entry that cannot be used is refused, the others stay."""
        content = self._read_file(INDEX_NAME)
        if content is None:
            raise UsageError(
                f"{self.name} has no {INDEX_NAME}", hint=f"Name a folder that contains an {INDEX_NAME}."
            )
        offers: list[Offer] = []
        refused: list[tuple[str, str]] = []
        seen: set[tuple[str, str]] = set()
        for number, entry in enumerate(parse_index(content, source=f"{self.name}/{INDEX_NAME}"), 1):
            try:
                image = read_entry(entry, number, _NOWHERE)
            except UsageError as error:
                refused.append((_name_entry(entry, number), error.message.replace(f"{_NOWHERE}/", "")))
                continue
            if (image.name, image.hardware) in seen:
                refused.append(
                    (_name_entry(entry, number), "an earlier entry has the same name and hardware")
                )
                continue
            seen.add((image.name, image.hardware))
            offers.append(Offer(image, image.path.name))
        return Offers(offers, refused)

    def read(self, offer: Offer) -> OfferedList | None:
        """Read a list."""
        content = self._read_file(offer.location)
        if content is None:
            raise UsageError(
                f"{self.name} has no file {offer.location}, which its {INDEX_NAME} names",
                hint=f"Add that file, or remove its entry from {INDEX_NAME}.",
            )
        return OfferedList(content, offer.image.python, offer.image.os)


def read_local_file(folder: Path, name: str) -> bytes | None:
    """Give the content of a file in `folder`, or None where there is none."""
    path = folder / name
    return read_list_file(path) if path.exists() else None


def join_url(base: str, name: str) -> str:
    """Give the URL of a file beside others at `base`."""
    return f"{base.rstrip('/')}/{quote(unquote(name))}"


def _name_entry(entry: object, number: int) -> str:
    named = entry.get("image") if isinstance(entry, dict) else None
    if not isinstance(entry, dict) or not isinstance(named, str) or not named:
        return f"entry {number}"
    hardware = entry.get("hardware")
    label = Image(named, hardware, Path(), "").label if isinstance(hardware, str) else named
    return f"{label} (entry {number})"

"""A place that images come from, as a sync sees it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Protocol

from tierproof.errors import TierproofError
from tierproof.images.lists.image_index import Image


class ImageSourceError(TierproofError):
    """A source of images cannot be reached or fails midway; the stored images are unchanged."""

    slug = "image-source"


@dataclass(frozen=True, slots=True)
class Offer:
    """An image that a source has.

    Attributes:
        image: what is known before its list is read; its path is without meaning, its `packages` and `sha256`
            are promises that the list must keep.
        location: where the source finds the list.
    """

    image: Image
    location: str


@dataclass(frozen=True, slots=True)
class OfferedList:
    """The list of an offer, with facts that are read together with it.

    Attributes:
        content: of the list.
        python: full version, or empty.
        os: as the image names it, or empty.
    """

    content: bytes
    python: str = ""
    os: str = ""


@dataclass(frozen=True, slots=True)
class Offers:
    """What a source has: offers, and names of entries that cannot be used, each with the reason."""

    offers: Sequence[Offer]
    refused: Sequence[tuple[str, str]] = field(default=())


class ImageSource(Protocol):
    """Lists what it has, and reads one list after the other."""

    @property
    def name(self) -> str:
        """What it is called; without credentials."""
        ...

    def list_offers(self) -> Offers:
        """List the images.

        Raises:
            ImageSourceError: it cannot be reached.
            UsageError: it holds no images.
        """
        ...

    def read(self, offer: Offer) -> OfferedList | None:
        """Read a list; None if the source has none for this offer.

        Raises:
            ImageSourceError: the source cannot be reached.
            UsageError: this list cannot be read.
        """
        ...

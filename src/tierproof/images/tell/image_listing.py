"""The stored images as a list for a person and for a program."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from tierproof.core.json_value import JsonValue
from tierproof.core.plain_html import show_plainly
from tierproof.images.lists.image_index import Image
from tierproof.images.store.image_store import find_images_folder, list_images
from tierproof.images.tell.text_table import align_table

FORMAT_VERSION = 1
TITLES = ("image", "hardware", "date", "python", "packages", "numpy", "torch")


@dataclass(frozen=True, slots=True)
class ImageListing:
    """What is stored in `folder`, the newest first."""

    folder: Path
    images: tuple[Image, ...]

    @property
    def rows(self) -> tuple[tuple[str, ...], ...]:
        """The cells of the table, under `TITLES`."""
        return tuple(_list_cells(image) for image in self.images)

    def to_dict(self) -> dict[str, JsonValue]:
        """Give the `images list --json` document."""
        return {
            "format_version": FORMAT_VERSION,
            "folder": str(self.folder),
            "images": [describe_image(image) for image in self.images],
        }

    def describe(self) -> str:
        """Give one line for each image."""
        if not self.images:
            return f"No image is stored in {self.folder}. Run `tierproof images sync` to fetch Colab's."
        return align_table(TITLES, self.rows)

    def __str__(self) -> str:
        return self.describe()

    def _repr_html_(self) -> str:
        return show_plainly(self.describe())


def make_listing(folder: Path | None = None) -> ImageListing:
    """List the images of a folder, the user's by default.

    Raises:
        UsageError: the index cannot be read, or is not valid.
    """
    folder = find_images_folder() if folder is None else folder
    return ImageListing(folder, list_images(folder))


def describe_image(image: Image) -> dict[str, JsonValue]:
    """Give the facts of an image as every `images` document carries them; what is not known is null."""
    return {
        "name": image.label,
        "image": image.name,
        "hardware": image.hardware,
        "date": image.date or None,
        "python": image.python or None,
        "os": image.os or None,
        "platform": image.platform,
        "packages": image.packages,
        "numpy": image.numpy or None,
        "torch": image.torch or None,
        "transformers": image.transformers or None,
        "pinned": image.pinned,
        "commit": image.commit or None,
        "added": image.added,
        "file": str(image.path) if image.path.name else None,
    }


def _list_cells(image: Image) -> tuple[str, ...]:
    count = str(image.packages) if image.packages else ""
    cells = (image.label, image.hardware, image.date, image.python, count, image.numpy, image.torch)
    return tuple(cell or "–" for cell in cells)

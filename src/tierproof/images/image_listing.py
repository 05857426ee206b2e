"""The stored images as a list to read."""

from __future__ import annotations

from dataclasses import dataclass

from tierproof.core.json_value import JsonValue
from tierproof.images.image_index import Image

FORMAT_VERSION = 1
_COLUMNS = ("image", "date", "python", "packages", "numpy", "torch", "transformers")


@dataclass(frozen=True, slots=True)
class ImageListing:
    """Images and the folder that they lie in."""

    folder: str
    images: tuple[Image, ...]

    def to_dict(self) -> dict[str, JsonValue]:
        """Give the `images list --json` document."""
        return {
            "format_version": FORMAT_VERSION,
            "folder": self.folder,
            "images": [
                {
                    "name": image.label,
                    "image": image.name,
                    "hardware": image.hardware,
                    "date": image.date or None,
                    "pinned": image.pinned,
                    "python": image.python or None,
                    "os": image.os or None,
                    "packages": image.packages,
                    **{name: image.notable.get(name) for name in ("numpy", "torch", "transformers")},
                }
                for image in self.images
            ],
        }

    def to_text(self) -> str:
        """Give it as an aligned table."""
        if not self.images:
            return f"No images in {self.folder}. `tierproof images sync` brings Colab's."
        rows = [_COLUMNS, *(self._describe(image) for image in self.images)]
        widths = [max(len(row[at]) for row in rows) for at in range(len(_COLUMNS))]
        return "\n".join(
            "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
            for row in rows
        )

    def _describe(self, image: Image) -> tuple[str, ...]:
        notable = [image.notable.get(name, "") for name in ("numpy", "torch", "transformers")]
        return (image.label, image.date, image.python, str(image.packages or ""), *notable)

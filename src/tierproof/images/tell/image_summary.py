"""A summary of one image: its facts, its notable packages, and the skipped lines of its list."""

from __future__ import annotations

from dataclasses import dataclass

from tierproof.core.credentials import hide_credentials
from tierproof.core.json_value import JsonValue
from tierproof.core.plain_html import show_plainly
from tierproof.core.plain_text import clean_text
from tierproof.images.lists.freeze_file import FrozenPackage
from tierproof.images.lists.image_contents import ImageContents
from tierproof.images.tell.image_listing import describe_image
from tierproof.images.tell.text_table import align_table

FORMAT_VERSION = 1
# What notebooks about models import most; in this order, where the image has it.
_NOTABLE = (
    "numpy",
    "torch",
    "torchvision",
    "transformers",
    "tokenizers",
    "huggingface-hub",
    "datasets",
    "accelerate",
    "peft",
    "safetensors",
    "jax",
    "tensorflow",
    "keras",
    "pandas",
    "scipy",
    "scikit-learn",
    "matplotlib",
    "pillow",
    "protobuf",
    "pyarrow",
    "ipykernel",
    "ipython",
    "google-colab",
)


@dataclass(frozen=True, slots=True)
class ImageSummary:
    """An image and its list, to be shown."""

    contents: ImageContents

    @property
    def facts(self) -> tuple[tuple[str, str], ...]:
        """What is known of it, with names."""
        image, file = self.contents.image, self.contents.file
        foreign = [item for item in file.packages if item.url]
        unversioned = sum(1 for item in file.packages if not item.version)
        counts = f"{len(file.packages)}"
        if foreign:
            counts += f", {len(foreign)} of them from a URL or a path"
        if unversioned:
            counts += f", {unversioned} with an unknown version"
        facts = [
            ("Python", image.python or "unknown"),
            ("system", image.os or "unknown"),
            (
                "platform",
                image.platform if image.os or image.given_platform else f"{image.platform}, assumed",
            ),
            ("hardware", image.hardware),
            ("date", image.date),
            ("commit", image.commit),
            ("pinned", "yes: this image never changes" if image.pinned else ""),
            ("added", "by you" if image.added else ""),
            ("packages", counts),
        ]
        return tuple((name, text) for name, text in facts if text)

    @property
    def notable(self) -> tuple[FrozenPackage, ...]:
        """The packages that most notebooks about models import."""
        known = {item.name: item for item in self.contents.file.packages}
        return tuple(known[name] for name in _NOTABLE if name in known)

    def to_dict(self) -> dict[str, JsonValue]:
        """Give the `images show --json` document."""
        file = self.contents.file
        return {
            "format_version": FORMAT_VERSION,
            **describe_image(self.contents.image),
            "packages": len(file.packages),
            "notable": {item.name: item.version or None for item in self.notable},
            "unversioned": [item.name for item in file.packages if not item.version],
            "skipped": [
                {"line": each.line, "text": each.text, "reason": each.reason} for each in file.skipped
            ],
            "notes": list(self.contents.notes),
            "contents": [_describe_package(item) for item in file.packages],
        }

    def describe(self) -> str:
        """Give it as plain text."""
        lines = [self.contents.image.label, align_table((), self.facts, indent="  "), ""]
        if self.notable:
            rows = [(item.name, item.version or "unknown version") for item in self.notable]
            lines += ["notable packages", align_table((), rows, indent="  "), ""]
        lines += [*self.describe_skipped()]
        return clean_text("\n".join(lines)).rstrip()

    def describe_skipped(self) -> tuple[str, ...]:
        """Give a line for each line of the list that was skipped, and for each note."""
        skipped = [
            f"skipped line {each.line}: {each.reason}: {each.text}" for each in self.contents.file.skipped
        ]
        return (*skipped, *(f"note: {note}" for note in self.contents.notes))

    def __str__(self) -> str:
        return self.describe()

    def _repr_html_(self) -> str:
        return show_plainly(self.describe())


def _describe_package(item: FrozenPackage) -> dict[str, JsonValue]:
    url = {"url": hide_credentials(item.url)} if item.url else {}
    return {"name": item.name, "version": item.version or None, **url}

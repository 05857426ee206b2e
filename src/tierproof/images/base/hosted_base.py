"""An image that questions are put to: its name and content at once, its base when somebody needs it."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass, field

from tierproof.guard.capture.base import Base
from tierproof.images.base.image_base import ImageBase, make_image_base
from tierproof.images.base.loaded_set import list_loaded
from tierproof.images.lists.image_contents import read_list_file
from tierproof.images.lists.image_index import Image


@dataclass(slots=True)
class HostedBase:
    """A base by name, made on first use: a kept answer needs none.

    Attributes:
        label: as a plan calls it.
        content: names all that the base is made from; empty for one that may change any time (`here`).
        make: makes it.
    """

    label: str
    content: str
    make: Callable[[], ImageBase]
    _made: ImageBase | None = field(default=None, init=False)

    @property
    def base(self) -> Base:
        """The base."""
        return self.made.base

    @property
    def is_made(self) -> bool:
        """Whether the base was needed so far."""
        return self._made is not None

    @property
    def made(self) -> ImageBase:
        """The base, and what of it could not be known; made once.

        Raises:
            UsageError: the list cannot be read.
            PlanError: the index cannot be asked what its packages declare.
        """
        if self._made is None:
            self._made = self.make()
        return self._made


def open_image(image: Image, on_step: Callable[[str], None] = lambda _: None) -> HostedBase:
    """Give a stored image as a base.

    Raises:
        UsageError: its list cannot be read.
    """
    content = hashlib.sha256(read_list_file(image.path))
    content.update(repr((image.label, image.python, image.platform, sorted(list_loaded()))).encode())

    return HostedBase(image.label, content.hexdigest(), lambda: make_image_base(image, on_step=on_step))


def open_base(base: Base) -> HostedBase:
    """Give a base that is there already; its answers are not kept, since anything of it may change."""
    return HostedBase(base.name, "", lambda: ImageBase(base))

"""An image to plan on: its name and content are read at once, its base is made when it is needed."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass, field

from tierproof.guard.capture.base import Base
from tierproof.images.base.image_base import ImageBase, make_image_base
from tierproof.images.base.loaded_set import list_loaded
from tierproof.images.lists.freeze_file import find_python
from tierproof.images.lists.hosted_service import HostedService, find_service
from tierproof.images.lists.image_contents import read_contents, read_list_file
from tierproof.images.lists.image_index import Image


@dataclass(slots=True)
class HostedBase:
    """A base that is made on first use; a stored answer does not need it.

    Attributes:
        label: as a plan calls it.
        content: a digest of everything that the base is made from; empty if it may change at any time (`here`).
        make: makes it.
        tell_host: gives the machine that decides the branches of a notebook.
    """

    label: str
    content: str
    make: Callable[[], ImageBase]
    tell_host: Callable[[], HostedService] = HostedService
    _host: HostedService | None = field(default=None, init=False)
    _made: ImageBase | None = field(default=None, init=False)

    @property
    def base(self) -> Base:
        """The base."""
        return self.made.base

    @property
    def host(self) -> HostedService:
        """The machine, as far as it is known; nothing is asked of an index.

        Raises:
            UsageError: the list cannot be read.
        """
        if self._host is None:
            self._host = self.tell_host()
        return self._host

    @property
    def is_made(self) -> bool:
        """Whether the base was needed so far."""
        return self._made is not None

    @property
    def made(self) -> ImageBase:
        """The base and its unknown facts; made once.

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

    def tell_host() -> HostedService:
        file = read_contents(image).file
        packages = {item.name: item.version for item in file.packages}
        service = find_service(image.name, packages)
        return HostedService(service, image.python or find_python(file), packages, image.hardware)

    return HostedBase(
        image.label, content.hexdigest(), lambda: make_image_base(image, on_step=on_step), tell_host
    )


def open_base(base: Base) -> HostedBase:
    """Wrap a base that exists already; its answers are not stored, because it may change at any time."""

    def tell_host() -> HostedService:
        packages = {item.name: item.version for item in base.by_name.values()}
        return HostedService(find_service("", packages), base.python, packages)

    return HostedBase(base.name, "", lambda: ImageBase(base), tell_host)

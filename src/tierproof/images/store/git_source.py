"""The published lists of Colab's images, read from the history of their git repository."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from tierproof.core.user_folders import find_user_cache_folder
from tierproof.errors import UsageError
from tierproof.images.lists.image_index import Image
from tierproof.images.lists.verify_list import LARGEST_LIST_BYTES
from tierproof.images.store.colab_repository import (
    LISTS,
    README,
    SYSTEM_FILES,
    ListChange,
    PinnedRuntime,
    choose_monthly,
    find_hardware,
    name_month,
    parse_readme,
    parse_system,
    to_date,
)
from tierproof.images.store.git_repository import GitRepository, PathChange
from tierproof.images.store.image_source import Offer, OfferedList, Offers


class GitSource:
    """Every image that the history shows: the pinned ones, and one for each month and hardware.

    Args:
        repository: with the layout of `colab_repository`.
    """

    def __init__(self, repository: GitRepository) -> None:
        self.name = repository.name
        self._repository = repository

    def list_offers(self) -> Offers:
        """Fetch what is new in the history, and list what it shows."""
        self._repository.fetch()
        changes = self._repository.list_changes(
            [README, *(path for paths in LISTS.values() for path in paths)]
        )
        if not any(find_hardware(change.path) for change in changes):
            raise UsageError(
                f"the git repository {self.name} has no pip-freeze.txt",
                hint="Name a git repository with lists called pip-freeze.txt, such as "
                "https://github.com/googlecolab/backend-info, or a folder with an index.json.",
            )
        pinned, refused = self._offer_pinned(changes)
        found, too_large = self._refuse_large([*pinned, *_offer_months(changes)])
        return Offers(found, [*refused, *too_large])

    def read(self, offer: Offer) -> OfferedList | None:
        """Read a list and the file about its system, as they were at the offer's commit."""
        image = offer.image
        names = [f"{image.commit}:{path}" for path in SYSTEM_FILES[image.hardware]]
        there = self._repository.find_objects(names)
        about = next((name for name in names if name in there and there[name][1] <= LARGEST_LIST_BYTES), "")
        python, system = parse_system(
            self._repository.read(about).decode("utf-8", "replace") if about else ""
        )
        content = self._repository.read(offer.location)
        return OfferedList(content, python or image.python, system or image.os)

    def _offer_pinned(self, changes: Sequence[PathChange]) -> tuple[list[Offer], list[tuple[str, str]]]:
        runtimes = self._read_runtimes(changes)
        times = self._repository.find_times(sorted({runtime.commit for runtime in runtimes}))
        refused = [
            (runtime.name, f"the repository has no commit {runtime.commit}, which its README names")
            for runtime in runtimes
            if runtime.commit not in times
        ]
        offers = [
            _offer_pin(runtime, hardware, path, to_date(times[runtime.commit]))
            for runtime in runtimes
            if runtime.commit in times
            for hardware, paths in LISTS.items()
            for path in paths
        ]
        there = self._repository.find_objects([offer.location for offer in offers])
        chosen: dict[str, Offer] = {}
        for offer in offers:
            if offer.location in there:
                chosen.setdefault(offer.image.label, offer)
        return list(chosen.values()), refused

    def _read_runtimes(self, changes: Sequence[PathChange]) -> tuple[PinnedRuntime, ...]:
        """Read every README that ever was: one that no longer names a runtime does not unmake it."""
        known: dict[str, PinnedRuntime] = {}
        readmes = [f"{each.commit}:{README}" for each in changes if each.path == README]
        sizes = self._repository.find_objects(readmes)
        for change in changes:
            if change.path != README:
                continue
            name = f"{change.commit}:{README}"
            if name in sizes and sizes[name][1] <= LARGEST_LIST_BYTES:
                text = self._repository.read(f"{change.commit}:{README}").decode("utf-8", "replace")
                for runtime in parse_readme(text):
                    known.setdefault(runtime.version, runtime)
        return tuple(known.values())

    def _refuse_large(self, offers: Sequence[Offer]) -> tuple[list[Offer], list[tuple[str, str]]]:
        sizes = self._repository.find_objects([offer.location for offer in offers])
        large = {name for name, (_, bytes_) in sizes.items() if bytes_ > LARGEST_LIST_BYTES}
        return (
            [offer for offer in offers if offer.location not in large],
            [(each.image.label, "its list is too large") for each in offers if each.location in large],
        )


def open_git_source(url: str, environment: Mapping[str, str]) -> GitSource:
    """Open a repository, whose copy lies in the user's cache folder."""
    key = hashlib.sha256(url.encode()).hexdigest()[:16]
    return GitSource(GitRepository(url, find_user_cache_folder() / "repositories" / key, environment))


def _offer_pin(runtime: PinnedRuntime, hardware: str, path: str, date: str) -> Offer:
    image = Image(
        runtime.name, hardware, Path(), runtime.python, runtime.os, date, runtime.commit, pinned=True
    )
    return Offer(image, f"{runtime.commit}:{path}")


def _offer_months(changes: Sequence[PathChange]) -> Iterator[Offer]:
    listed = [
        ListChange(hardware, change.path, change.commit, change.at_s)
        for change in changes
        if (hardware := find_hardware(change.path))
    ]
    for change in choose_monthly(listed):
        image = Image(name_month(change.date), change.hardware, Path(), "", date=change.date)
        yield Offer(replace(image, commit=change.commit), f"{change.commit}:{change.path}")

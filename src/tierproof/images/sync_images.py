"""Bring the store up to date with a source. What was got is kept, whatever happens to the rest."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from urllib.error import HTTPError, URLError

from tierproof.core.json_value import JsonValue
from tierproof.errors import PlanError, TierproofError
from tierproof.guard.index_settings import read_index_settings
from tierproof.guard.run_uv import hide_credentials
from tierproof.images.backend_info import RAW, REPOSITORY, list_head, list_history
from tierproof.images.git_repository import GitRepository, has_git
from tierproof.images.image_index import Image
from tierproof.images.image_store import list_images, store_image
from tierproof.images.indexed_source import list_folder, list_web
from tierproof.images.remote_image import RemoteImage

FORMAT_VERSION = 1
_NOT_THERE = 404


@dataclass(frozen=True, slots=True)
class SyncResult:
    """What a sync did.

    Attributes:
        source: where from.
        added: labels of images that are new.
        updated: of images whose list has moved.
        unchanged: of images that were there already.
        refused: of images that could not be taken, each with the reason.
        duration_s: wall time in seconds.
    """

    source: str
    added: tuple[str, ...] = ()
    updated: tuple[str, ...] = ()
    unchanged: tuple[str, ...] = ()
    refused: tuple[tuple[str, str], ...] = ()
    duration_s: float = 0.0

    @property
    def exit_code(self) -> int:
        """1 where something was refused."""
        return 1 if self.refused else 0

    def to_dict(self) -> dict[str, JsonValue]:
        """Give the `images sync --json` document."""
        return {
            "format_version": FORMAT_VERSION,
            "source": self.source,
            "added": list(self.added),
            "updated": list(self.updated),
            "unchanged": list(self.unchanged),
            "refused": [{"image": label, "reason": reason} for label, reason in self.refused],
            "duration_s": self.duration_s,
        }

    def to_text(self) -> str:
        """Give it as lines of text."""
        lines = [
            f"{self.source}: {len(self.added)} added, {len(self.updated)} updated, {len(self.unchanged)} unchanged"
        ]
        lines += [f"  ! {label} was refused: {reason}" for label, reason in self.refused]
        if self.refused:
            lines.append("What was got is kept; a further sync asks for the rest.")
        return "\n".join(lines)


def sync_images(
    source: str = "",
    folder: Path | None = None,
    on_step: Callable[[str], None] = lambda _: None,
) -> SyncResult:
    """Bring the store up to date.

    Args:
        source: a folder or a URL with an `index.json`, a git repository laid out as googlecolab/backend-info, or
            a URL of its raw files; empty for that repository itself.
        folder: of the store.
        on_step: told what is being done.

    Raises:
        PlanError: the source cannot be reached.
        UsageError: it is none.
    """
    started = time.perf_counter()
    shown = hide_credentials(source or REPOSITORY)
    on_step(f"reading {shown}")
    offered = _list_source(source)
    known = {(image.name, image.hardware): image for image in list_images(folder)}
    sorted_: dict[str, list[str]] = {"added": [], "updated": [], "unchanged": []}
    refused: list[tuple[str, str]] = []
    for number, remote in enumerate(offered, 1):
        try:
            if _is_known(remote, known):
                sorted_["unchanged"].append(remote.label)
                continue
            on_step(f"{remote.label}, {number} of {len(offered)}")
            sorted_[_take(remote, known, folder)].append(remote.label)
        except HTTPError as error:
            if not (error.code == _NOT_THERE and remote.entry.get("optional")):
                refused.append((remote.label, f"the server says {error.code} {error.reason}"))
        except (TierproofError, OSError, ValueError) as error:
            reason = error.message if isinstance(error, TierproofError) else f"it could not be read: {error}"
            refused.append((remote.label, hide_credentials(reason)))
    return SyncResult(
        shown,
        tuple(sorted_["added"]),
        tuple(sorted_["updated"]),
        tuple(sorted_["unchanged"]),
        tuple(refused),
        time.perf_counter() - started,
    )


def _is_known(remote: RemoteImage, known: Mapping[tuple[str, str], Image]) -> bool:
    """Whether it is stored as of the same commit."""
    have = known.get(remote.key)
    return (
        have is not None
        and bool(have.commit)
        and have.commit == remote.entry.get("commit")
        and have.path.exists()
    )


def _take(remote: RemoteImage, known: Mapping[tuple[str, str], Image], folder: Path | None) -> str:
    entry, have = remote.entry, known.get(remote.key)
    text = remote.fetch()
    if have is not None and not entry.get("commit") and _is_same(have, text):
        return "unchanged"
    kept = {key: value for key, value in entry.items() if key != "optional"}
    store_image(kept, text, folder, replace=True)
    return "added" if have is None else "updated"


def _is_same(image: Image, text: str) -> bool:
    return image.path.exists() and image.read_text() == text


def _list_source(source: str) -> tuple[RemoteImage, ...]:
    environment = read_index_settings().environment
    if source and "://" not in source and Path(source).expanduser().is_dir():
        folder = Path(source).expanduser()
        if (folder / "index.json").exists() or not _is_repository(folder):
            return list_folder(folder)
        return list_history(GitRepository(str(folder.resolve())))
    if not source:
        return list_history(GitRepository(REPOSITORY)) if has_git() else _list_web(RAW, environment, raw=True)
    if source.endswith(".git") or source.startswith(("git@", "ssh://", "git://", "file://", REPOSITORY)):
        if not has_git():
            raise PlanError("git is needed to read a repository", hint=f"Install git, or use --from {RAW}")
        return list_history(GitRepository(source))
    return _list_web(source, environment, raw=source.startswith(RAW))


def _list_web(url: str, environment: Mapping[str, str], *, raw: bool) -> tuple[RemoteImage, ...]:
    try:
        if raw:
            return list_head(url, environment)
        try:
            return list_web(url, environment)
        except HTTPError as error:
            if error.code != _NOT_THERE:
                raise
            return list_head(url, environment)
    except (URLError, OSError, ValueError) as error:
        raise PlanError(
            f"{hide_credentials(url)} cannot be read: {hide_credentials(str(error))}",
            hint="Check the address, the network and the proxy. What is stored stays as it is.",
        ) from error


def _is_repository(folder: Path) -> bool:
    return (folder / ".git").exists() or (folder / "HEAD").exists()

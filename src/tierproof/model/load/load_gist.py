"""Load `gist:ID[@REVISION]`: code of other people, which runs only after the user has trusted it."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from pathlib import Path

from tierproof.model.load.accepted_code import digest_files, is_accepted, record_accepted
from tierproof.model.load.cached_download import fetch_bytes, join_url
from tierproof.model.load.load_folder import FolderModule, load_folder
from tierproof.model.load.target import GistTarget, TargetError, UntrustedCodeError

DEFAULT_GIST_URL = "https://api.github.com"
_LIMIT_BYTES = 20 << 20
_FILE_NAME = re.compile(r"[\w-][\w.-]*\Z")


def load_gist(target: GistTarget, *, trust: bool, gist_url: str, cache: Path, data: Path) -> FolderModule:
    """Fetch a gist's files and build its module, as for a folder.

    A pinned gist whose code was accepted before needs no `trust`; accepted code is recorded by its SHA-256.
    Untrusted code is refused before anything is written.

    Raises:
        TargetError: when it cannot be fetched, has no model.py, or does not build a module.
        UntrustedCodeError: when it is not pinned, or its code is new, and `trust` is False.
    """
    files = _fetch_files(target, gist_url)
    digest = digest_files(files)
    if not trust:
        _refuse_untrusted(target, digest, data)
    folder = cache / "gist" / target.gist_id / digest[:16]
    _save(files, folder)
    record_accepted(digest, str(target), data)
    return load_folder(folder)


def _fetch_files(target: GistTarget, gist_url: str) -> dict[str, bytes]:
    revision = (target.revision,) if target.revision else ()
    url = join_url(gist_url, "gists", target.gist_id, *revision)
    body = fetch_bytes(url, limit_bytes=_LIMIT_BYTES)
    if body is None:
        raise TargetError(f"{target} was not found at {gist_url}", hint="Check the id and the revision.")
    try:
        listed = json.loads(body)["files"]
        entries = {str(name): entry for name, entry in listed.items()}
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise TargetError(
            f"the answer from {url} is not a gist", hint="Check the base URL in `--gist-url`."
        ) from error
    files = {
        name: _content(name, entry, url)
        for name, entry in entries.items()
        if name == "config.json" or (name.endswith(".py") and _FILE_NAME.match(name))
    }
    if "model.py" not in files:
        held = ", ".join(sorted(entries)[:5]) or "no files"
        raise TargetError(
            f"{target} has no model.py (it has {held})",
            hint="Add a model.py to the gist, or name another gist.",
        )
    return files


def _content(name: str, entry: object, url: str) -> bytes:
    content = entry.get("content") if isinstance(entry, Mapping) else None
    if not isinstance(entry, Mapping) or not isinstance(content, str):
        raise TargetError(f"the answer from {url} is not a gist", hint="Check the base URL in `--gist-url`.")
    if entry.get("truncated"):
        raise TargetError(
            f"{name} is too long: {url} returns only a part of it",
            hint="Download the files and pass their folder.",
        )
    return content.encode()


def _refuse_untrusted(target: GistTarget, digest: str, data: Path) -> None:
    if not target.revision:
        raise UntrustedCodeError(
            f"{target} is not pinned: its code can change at any time",
            hint=f"Read the code, pin it as gist:{target.gist_id}@REVISION, and run with `--trust`.",
        )
    if not is_accepted(digest, data):
        raise UntrustedCodeError(
            f"the code of {target} has not been accepted on this machine yet (SHA-256 {digest[:16]}…)",
            hint="Read the code, then run once with `--trust` to accept it.",
        )


def _save(files: Mapping[str, bytes], folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for old in folder.iterdir():
            if old.is_file() and old.name not in files:
                old.unlink()
        for name, content in files.items():
            (folder / name).write_bytes(content)
    except OSError as error:
        raise TargetError(
            f"cannot save the gist in {folder}: {error.strerror or error}",
            hint="Set $TIERPROOF_CACHE to a writable folder.",
        ) from error

"""Fetch files over HTTP: whole or not at all, and only again when they changed."""

from __future__ import annotations

import contextlib
import os
import shutil
import urllib.error
import urllib.parse
import urllib.request
from http.client import HTTPException, HTTPResponse
from pathlib import Path

from tierproof._version import __version__
from tierproof.model.load.target import TargetError

_TIMEOUT_S = 30.0
_PART_SUFFIX = ".part"
_PIECE_BYTES = 1 << 20
_SPARED_BYTES = 1 << 30


def fetch_bytes(url: str, *, limit_bytes: int) -> bytes | None:
    """The body at `url`; None where there is nothing (404).

    Raises:
        TargetError: when it cannot be fetched, or is longer than `limit_bytes`.
    """
    try:
        with _open(url, {}) as response:
            body: bytes = response.read(limit_bytes + 1)
    except urllib.error.HTTPError as error:
        error.close()
        if error.code == 404:
            return None
        raise _explain_status(url, error) from error
    except (OSError, HTTPException) as error:
        raise _explain_network(url, error) from error
    if len(body) > limit_bytes:
        raise TargetError(
            f"{url} is larger than {limit_bytes} bytes",
            hint="Download the files yourself and pass their folder.",
        )
    return body


def download(url: str, destination: Path, *, limit_bytes: int | None = None) -> bool:
    """Save `url` as `destination`; False where there is nothing (404).

    Without `limit_bytes` it may be as large as the disk has room for: the rest of the system needs some too.

    A copy that the server confirms by its ETag is kept. The file appears by a rename; until then it has a
    name that `remove_partial_downloads` knows.

    Raises:
        TargetError: when it cannot be fetched or saved, or is longer than that.
    """
    tag_path = destination.with_name(f"{destination.name}.etag")
    known = _read_tag(tag_path) if destination.is_file() else ""
    part = destination.with_name(f".{destination.name}.{os.getpid()}{_PART_SUFFIX}")
    try:
        with _open(url, {"If-None-Match": known} if known else {}) as response:
            destination.parent.mkdir(parents=True, exist_ok=True)
            expected = _read_length(response)
            _copy(url, response, part, expected, limit_bytes)
            if expected is not None and part.stat().st_size != expected:
                raise TargetError(f"the download of {url} ended early", hint="Try again.")
            tag_path.unlink(missing_ok=True)  # never a new tag beside an old file
            part.replace(destination)
            if tag := response.headers.get("ETag"):
                tag_path.write_text(tag, encoding="utf-8")
    except urllib.error.HTTPError as error:
        error.close()
        if error.code == 304:
            return True
        if error.code == 404:
            return False
        raise _explain_status(url, error) from error
    except (OSError, HTTPException) as error:
        raise _explain_network(url, error) from error
    finally:
        part.unlink(missing_ok=True)
    return True


def _read_length(response: HTTPResponse) -> int | None:
    told = response.headers.get("Content-Length", "").strip()
    return int(told) if told.isascii() and told.isdigit() and len(told) < 19 else None


def _copy(
    url: str, response: HTTPResponse, part: Path, expected: int | None, limit_bytes: int | None
) -> None:
    """Save a body that may be without end.

    Raises:
        TargetError: it is longer than `limit_bytes`, or than the disk has room for.
    """
    room = max(shutil.disk_usage(part.parent).free - _SPARED_BYTES, 0)
    most = room if limit_bytes is None else min(room, limit_bytes)
    reason = "the disk has room for" if most == room else "such a file may have"
    left = most if expected is None or expected <= most else -1
    with part.open("wb") as stream:
        while left >= 0 and (piece := response.read(_PIECE_BYTES)):
            left -= len(piece)
            if left >= 0:
                stream.write(piece)
    if left < 0:
        raise TargetError(
            f"{url} is larger than the {most / 1e6:,.0f} MB that {reason}",
            hint="Download the files yourself and pass their folder.",
        )


def remove_partial_downloads(folder: Path, process_id: int) -> None:
    """Remove what a process that was killed had not finished downloading below `folder`."""
    for part in folder.rglob(f".*.{process_id}{_PART_SUFFIX}"):
        with contextlib.suppress(OSError):
            part.unlink()


def join_url(base: str, *parts: str) -> str:
    """Append path segments to a base URL, each quoted.

    Raises:
        TargetError: when the base is not an http or https URL.
    """
    if urllib.parse.urlsplit(base).scheme not in ("http", "https"):
        raise TargetError(f"{base!r} is not an http or https URL", hint="Write the base URL as https://HOST.")
    return "/".join([base.rstrip("/"), *(urllib.parse.quote(part, safe="/") for part in parts)])


def _open(url: str, headers: dict[str, str]) -> HTTPResponse:
    request = urllib.request.Request(url, headers={"User-Agent": f"tierproof/{__version__}", **headers})
    response: HTTPResponse = urllib.request.urlopen(request, timeout=_TIMEOUT_S)
    return response


def _read_tag(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError):
        return ""


def _explain_status(url: str, error: urllib.error.HTTPError) -> TargetError:
    if error.code in (401, 403):
        return TargetError(
            f"{url} answers {error.code} {error.reason}: it is private, gated or missing, or was requested too often",
            hint="Download the files with your own account and pass their folder.",
        )
    return TargetError(f"{url} answers {error.code} {error.reason}", hint="Try again later.")


def _explain_network(url: str, error: Exception) -> TargetError:
    if isinstance(error, OSError) and error.filename is not None:
        return TargetError(
            f"cannot save {url} as {error.filename}: {error.strerror}",
            hint="Set $TIERPROOF_CACHE to a writable folder.",
        )
    reason = getattr(error, "reason", None) or error
    return TargetError(
        f"cannot fetch {url}: {reason}",
        hint="Check the network, or download the files and pass their folder.",
    )

"""What a wheel declares that it needs, read without installing it."""

from __future__ import annotations

import contextlib
import email.parser
import email.policy
import errno
import io
import ssl
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from http import HTTPStatus
from pathlib import Path
from typing import IO, cast
from urllib.parse import unquote, urlsplit, urlunsplit
from urllib.request import (
    HTTPBasicAuthHandler,
    HTTPPasswordMgrWithPriorAuth,
    HTTPSHandler,
    build_opener,
    url2pathname,
)
from urllib.request import (
    Request as URLRequest,
)

from packaging.requirements import Requirement

from tierproof.guard.capture.declared_bounds import parse_requires
from tierproof.guard.resolve.ranged_file import RangedFile
from tierproof.guard.resolve.reachable_hosts import refuse_unreachable

_WHOLE_WHEEL_BYTES = 20_000_000
_MOST_BYTES = 1 << 30
_TIMEOUT_S = 15


@dataclass(frozen=True, slots=True)
class WheelMetadata:
    """What a wheel declares: its Requires-Dist, and its Requires-Python (empty for any)."""

    requires: tuple[Requirement, ...]
    requires_python: str = ""


def read_requires(url: str, bytes_: int, environment: Mapping[str, str]) -> tuple[Requirement, ...] | None:
    """Return the Requires-Dist of the wheel at `url`, or None if that cannot be had; see `read_wheel_metadata`."""
    found = read_wheel_metadata(url, bytes_, environment)
    return None if found is None else found.requires


def read_wheel_metadata(url: str, bytes_: int, environment: Mapping[str, str]) -> WheelMetadata | None:
    """Return what the wheel at `url` declares, or None if that cannot be had.

    Args:
        url: http, https or file.
        bytes_: the wheel's size; one over 20 MB is not fetched whole to read its metadata.
        environment: its SSL_CERT_FILE is honoured.
    """
    try:
        text = _read_metadata(url, bytes_, environment)
    except (OSError, StopIteration, ValueError, zipfile.BadZipFile):  # URLError is an OSError
        return None
    return parse_metadata(text)


def fetch(
    url: str, environment: Mapping[str, str], span: tuple[int, int] | None = None, accept: str = ""
) -> bytes:
    """Read what lies at an http, https or file URL; a user and password in it are used.

    Args:
        url: where.
        environment: its SSL_CERT_FILE is honoured.
        span: only the bytes from the first offset up to, not including, the second (http and https).
        accept: the forms of the answer that are wanted, as the Accept header lists them.

    Raises:
        OSError: there is none, it is larger than 1 GB or than was asked for, or it cannot be reached
            (`urllib.error.HTTPError` tells the status).
    """
    parts = urlsplit(url)
    if parts.scheme == "file":
        return Path(url2pathname(parts.path)).read_bytes()
    if parts.scheme not in ("http", "https"):
        raise ValueError(f"cannot read {parts.scheme}:")
    bare = urlunsplit(parts._replace(netloc=parts.netloc.rpartition("@")[2]))
    passwords = HTTPPasswordMgrWithPriorAuth()
    if parts.username:
        passwords.add_password(
            None, bare, unquote(parts.username), unquote(parts.password or ""), is_authenticated=True
        )
    context = _make_context(environment.get("SSL_CERT_FILE", ""))
    opener = build_opener(HTTPSHandler(context=context), HTTPBasicAuthHandler(passwords))
    headers = {} if span is None else {"Range": f"bytes={span[0]}-{span[1] - 1}"}
    if accept:
        headers["Accept"] = accept
    refuse_unreachable(bare, environment)
    with opener.open(URLRequest(bare, headers=headers), timeout=_TIMEOUT_S) as answer:
        if span is not None and answer.status != HTTPStatus.PARTIAL_CONTENT:
            raise OSError("the server does not support range requests")
        most = _MOST_BYTES if span is None else span[1] - span[0]
        content: bytes = answer.read(most + 1)
    if len(content) > most:
        raise OSError(errno.EFBIG, f"the server sent more than the {most} bytes that were expected")
    return content


@lru_cache(maxsize=4)
def _make_context(certificates: str) -> ssl.SSLContext:
    """Make it once: reading the system's certificates takes longer than most answers."""
    return ssl.create_default_context(cafile=certificates or None)


def _read_metadata(url: str, bytes_: int, environment: Mapping[str, str]) -> str:
    if urlsplit(url).scheme == "file":
        return _read_from_archive(io.BytesIO(fetch(url, environment)))
    with contextlib.suppress(OSError):  # PEP 658: the index may serve the metadata by itself
        return fetch(f"{url.partition('#')[0]}.metadata", environment).decode("utf-8", "replace")
    with contextlib.suppress(OSError, zipfile.BadZipFile):
        remote = RangedFile(lambda begin, end: fetch(url, environment, (begin, end)), bytes_)
        return _read_from_archive(remote)
    if not 0 < bytes_ <= _WHOLE_WHEEL_BYTES:
        raise OSError("the wheel is too large to download only for its metadata")
    return _read_from_archive(io.BytesIO(fetch(url, environment)))


def _read_from_archive(file: IO[bytes] | RangedFile) -> str:
    with zipfile.ZipFile(cast("IO[bytes]", file)) as archive:
        names = (name for name in archive.namelist() if name.count("/") == 1)
        return archive.read(next(name for name in names if name.endswith(".dist-info/METADATA"))).decode(
            "utf-8", "replace"
        )


def parse_metadata(text: str) -> WheelMetadata:
    """Read what the text of a METADATA file declares."""
    message = email.parser.Parser(policy=email.policy.compat32).parsestr(text, headersonly=True)
    found = parse_requires(str(line) for line in message.get_all("Requires-Dist", []))
    return WheelMetadata(tuple(found), str(message.get("Requires-Python") or "").strip())

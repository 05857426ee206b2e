"""What a wheel declares that it needs, read without installing it."""

from __future__ import annotations

import email.parser
import email.policy
import io
import ssl
import zipfile
from collections.abc import Mapping
from pathlib import Path
from urllib.parse import unquote, urlsplit, urlunsplit
from urllib.request import (
    HTTPBasicAuthHandler,
    HTTPPasswordMgrWithPriorAuth,
    HTTPSHandler,
    build_opener,
    url2pathname,
)

from packaging.requirements import InvalidRequirement, Requirement

_WHOLE_WHEEL_BYTES = 20_000_000
_TIMEOUT_S = 15


def read_requires(url: str, bytes_: int, environment: Mapping[str, str]) -> tuple[Requirement, ...] | None:
    """Give the Requires-Dist of the wheel at `url`, or None where that cannot be had.

    Args:
        url: http, https or file.
        bytes_: the wheel's size; one over 20 MB is not fetched whole to read its metadata.
        environment: its SSL_CERT_FILE is honoured.
    """
    try:
        text = _read_metadata(url, bytes_, environment)
    except (OSError, StopIteration, ValueError, zipfile.BadZipFile):  # URLError is an OSError
        return None
    return _parse(text)


def fetch(url: str, environment: Mapping[str, str]) -> bytes:
    """Read what lies at an http, https or file URL; a user and password in it are used.

    Raises:
        OSError: there is none, or it cannot be reached (`urllib.error.HTTPError` tells the status).
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
    context = ssl.create_default_context(cafile=environment.get("SSL_CERT_FILE") or None)
    opener = build_opener(HTTPSHandler(context=context), HTTPBasicAuthHandler(passwords))
    with opener.open(bare, timeout=_TIMEOUT_S) as answer:
        content: bytes = answer.read()
    return content


def _read_metadata(url: str, bytes_: int, environment: Mapping[str, str]) -> str:
    if urlsplit(url).scheme != "file":
        try:  # PEP 658: the index may serve the metadata by itself
            return fetch(f"{url.partition('#')[0]}.metadata", environment).decode("utf-8", "replace")
        except OSError:
            if not 0 < bytes_ <= _WHOLE_WHEEL_BYTES:
                raise
    with zipfile.ZipFile(io.BytesIO(fetch(url, environment))) as archive:
        name = next(
            name
            for name in archive.namelist()
            if name.count("/") == 1 and name.endswith(".dist-info/METADATA")
        )
        return archive.read(name).decode("utf-8", "replace")


def _parse(text: str) -> tuple[Requirement, ...]:
    message = email.parser.Parser(policy=email.policy.compat32).parsestr(text, headersonly=True)
    found = []
    for line in message.get_all("Requires-Dist", []):
        try:
            found.append(Requirement(str(line)))
        except InvalidRequirement:
            continue
    return tuple(found)

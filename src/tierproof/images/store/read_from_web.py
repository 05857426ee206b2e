"""Read a small file from the web: limited in size and time, tried again when a connection drops."""

from __future__ import annotations

import http.client
import ssl
import time
from collections.abc import Mapping
from functools import lru_cache
from http import HTTPStatus
from urllib.error import HTTPError
from urllib.parse import unquote, urlsplit, urlunsplit
from urllib.request import (
    HTTPBasicAuthHandler,
    HTTPPasswordMgrWithPriorAuth,
    HTTPSHandler,
    OpenerDirector,
    ProxyHandler,
    Request,
    build_opener,
    getproxies,
)

from tierproof.core.credentials import hide_credentials
from tierproof.errors import UsageError
from tierproof.images.store.image_source import ImageSourceError

_TIMEOUT_S = 20.0
_LIMIT_S = 120.0
_PAUSES_S = (0.5, 2.0)  # before the second and the third try
_CHUNK_BYTES = 65_536
_ABSENT = (HTTPStatus.NOT_FOUND, HTTPStatus.GONE)
_PASSING = (HTTPStatus.REQUEST_TIMEOUT, HTTPStatus.TOO_MANY_REQUESTS)


def download(url: str, *, limit_bytes: int, environment: Mapping[str, str]) -> bytes | None:
    """Return the content of an http or https URL, or None if there is none (404, 410).

    Args:
        url: its user and password are used, and never shown in a message.
        limit_bytes: a longer file is refused.
        environment: its SSL_CERT_FILE, HTTP_PROXY and HTTPS_PROXY are honoured.

    Raises:
        UsageError: the file is too long, or the server refuses to give it.
        ImageSourceError: the server cannot be reached, fails, or breaks off; three tries were made.
    """
    opener, bare = _make_opener(url, environment)
    shown = hide_credentials(url)
    for pause_s in (*_PAUSES_S, None):
        try:
            return _read(opener, bare, limit_bytes)
        except HTTPError as error:
            if error.code in _ABSENT:
                return None
            if error.code < HTTPStatus.INTERNAL_SERVER_ERROR and error.code not in _PASSING:
                raise UsageError(
                    f"the server refused {shown}: {error.code} {error.reason}",
                    hint="Check the address. If it needs a login, write it as https://USER:PASSWORD@HOST/PATH.",
                ) from error
            reason = f"{error.code} {error.reason}"
        except (OSError, http.client.HTTPException) as error:
            reason = str(getattr(error, "reason", "") or error) or type(error).__name__
        if pause_s is not None:
            time.sleep(pause_s)
    raise ImageSourceError(
        f"cannot download {shown}: {hide_credentials(reason)}",
        hint="Check the network. Behind a proxy, set HTTPS_PROXY to its address and SSL_CERT_FILE to its "
        "certificate file.",
    )


def _make_opener(url: str, environment: Mapping[str, str]) -> tuple[OpenerDirector, str]:
    """Give an opener, and the URL without its user and password, which it sends to that place alone."""
    try:
        parts = urlsplit(url)
        host = (parts.hostname or "").encode("idna")
    except ValueError as error:
        raise UsageError(
            f"{hide_credentials(url)} is not a valid URL: {error}", hint="Write it as https://HOST/PATH."
        ) from error
    if parts.scheme not in ("http", "https") or not host:
        raise UsageError(
            f"{hide_credentials(url)} is not an http or https URL", hint="Write it as https://HOST/PATH."
        )
    bare = urlunsplit(parts._replace(netloc=parts.netloc.rpartition("@")[2], fragment=""))
    passwords = HTTPPasswordMgrWithPriorAuth()
    if parts.username:
        passwords.add_password(
            None, bare, unquote(parts.username), unquote(parts.password or ""), is_authenticated=True
        )
    named = {key.lower(): value for key, value in environment.items() if value}
    proxies = {key: named.get(f"{key}_proxy", "") for key in ("http", "https")}
    handlers = [
        ProxyHandler({**getproxies(), **{key: value for key, value in proxies.items() if value}}),
        HTTPSHandler(context=_make_context(environment.get("SSL_CERT_FILE", ""))),
        HTTPBasicAuthHandler(passwords),
    ]
    return build_opener(*handlers), bare


@lru_cache(maxsize=4)
def _make_context(certificates: str) -> ssl.SSLContext:
    """Make it once: reading the system's certificates takes longer than most answers."""
    try:
        return ssl.create_default_context(cafile=certificates or None)
    except OSError as error:  # ssl.SSLError is one
        raise ImageSourceError(
            f"cannot read the certificates in {certificates}: {error.strerror or error}",
            hint="Set SSL_CERT_FILE (or pip's `cert`) to a readable certificate file.",
        ) from error


def _read(opener: OpenerDirector, url: str, limit_bytes: int) -> bytes:
    ends_at = time.monotonic() + _LIMIT_S
    request = Request(url, headers={"User-Agent": "tierproof"})
    with opener.open(request, timeout=_TIMEOUT_S) as answer:
        promised = answer.headers.get("Content-Length", "")
        content = _read_chunks(answer, limit_bytes, ends_at)
    if len(content) > limit_bytes:
        raise UsageError(
            f"{url} is too large for a list of packages: over {limit_bytes / 1e6:.0f} MB",
            hint="Check the address.",
        )
    if promised.isdigit() and len(content) < int(promised):
        raise OSError(f"the connection broke off after {len(content)} of {promised} bytes")
    return content


def _read_chunks(answer: http.client.HTTPResponse, limit_bytes: int, ends_at: float) -> bytes:
    content = bytearray()
    while len(content) <= limit_bytes:
        chunk = answer.read1(_CHUNK_BYTES)  # what has come: a server that drips must not outlast the limit
        if not chunk:
            break
        content += chunk
        if time.monotonic() > ends_at:
            raise OSError(f"the download took longer than {_LIMIT_S:.0f} seconds")
    return bytes(content)

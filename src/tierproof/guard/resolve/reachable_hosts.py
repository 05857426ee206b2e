"""Which hosts cannot be reached: each is tried once, so that it costs its time-out once and not with every request."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Iterable, Mapping
from urllib.parse import urlsplit

_LIMIT_S = 5.0
_REMEMBERED_S = 120.0  # a kernel lives for days, and a network comes back
_PORTS = {"http": 80, "https": 443}
_asking = threading.Lock()
_known: dict[tuple[str, int], tuple[float, str]] = {}


class HostUnreachableError(OSError):
    """A host that was tried a moment ago, and could not be reached."""


def find_unreachable(urls: Iterable[str], environment: Mapping[str, str]) -> dict[str, str]:
    """Return the hosts of `urls` to which no connection can be made, each with the reason.

    A host is asked once in two minutes. Where a proxy is configured, the proxy tells.

    Args:
        urls: addresses; those that are not http, https or git over https are left out.
        environment: its proxy variables count.
    """
    found = {}
    for url in urls:
        place = _locate(url, environment)
        if place is not None and (reason := _try(place)):
            found[place[0]] = reason
    return found


def refuse_unreachable(url: str, environment: Mapping[str, str]) -> None:
    """Do nothing, or say at once what a request would find out at the end of its time-out.

    Raises:
        HostUnreachableError: no connection can be made to the host of `url`.
    """
    place = _locate(url, environment)
    if place is not None and (reason := _try(place)):
        raise HostUnreachableError(f"{place[0]} cannot be reached: {reason}")


def _locate(url: str, environment: Mapping[str, str]) -> tuple[str, int] | None:
    parts = urlsplit(url.removeprefix("git+"))
    if parts.scheme not in _PORTS or not parts.hostname:
        return None
    if any(environment.get(name) for name in (f"{parts.scheme}_proxy", f"{parts.scheme.upper()}_PROXY")):
        return None
    if environment.get("all_proxy") or environment.get("ALL_PROXY"):
        return None
    try:
        return parts.hostname, parts.port or _PORTS[parts.scheme]
    except ValueError:
        return None


def _try(place: tuple[str, int]) -> str:
    """Return why a host cannot be reached; empty if it can, or if it was reached a moment ago."""
    with _asking:  # a second request for a silent host waits for the first one's answer
        when, reason = _known.get(place, (-_REMEMBERED_S, ""))
        if time.monotonic() - when < _REMEMBERED_S:
            return reason
        try:
            with socket.create_connection(place, timeout=_LIMIT_S):
                reason = ""
        except OSError as error:
            reason = error.strerror or str(error) or "no answer"
        _known[place] = time.monotonic(), reason
        return reason

"""The platform of an image as a person gives it: `linux-x86_64`."""

from __future__ import annotations

import re

from tierproof.errors import UsageError
from tierproof.guard.resolve.wheel_tags import describe_machine

_PLAIN = re.compile(r"linux[-_](x86_64|amd64|aarch64|arm64)\Z", re.IGNORECASE)
_MACHINES = {"amd64": "x86_64", "arm64": "aarch64"}
# The oldest glibc that wheels of today are still made for: of an unknown Linux nothing newer is assumed.
_GLIBC = "manylinux_2_28"


def parse_platform(text: str) -> str:
    """Return a platform as uv names it; `linux-x86_64` means glibc 2.28. Empty stays empty.

    Raises:
        UsageError: the platform is unknown.
    """
    if not text:
        return ""
    if match := _PLAIN.match(text):
        machine = match[1].lower()
        return f"{_MACHINES.get(machine, machine)}-{_GLIBC}"
    try:
        describe_machine(text)
    except UsageError as error:
        raise UsageError(
            f"unknown platform {text!r}",
            hint="Use linux-x86_64 or linux-aarch64, or name the glibc version: x86_64-manylinux_2_35.",
        ) from error
    return text

"""A part of a request that was not worked out, and why. What has a gap is never called safe."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from tierproof.core.credentials import hide_credentials
from tierproof.core.json_value import JsonValue


class GapReason(StrEnum):
    """Why a part was not worked out."""

    BUILD = "build"  # only a build tells what a source release, a repository or a folder needs
    CONDA = "conda"
    SYNC = "sync"  # an environment is made to match a lock
    SCRIPT = "script"  # a script installs, and was not read
    FILE = "file"  # a requirements file, wheel or archive that is not there
    TEXT = "text"  # a requirement that cannot be parsed
    RUNTIME = "runtime"  # known only when it runs
    PYTHON = "python"  # Python itself is replaced
    FOLDER = "folder"  # written to a folder on sys.path: with --target, or past pip
    INDEX = "index"  # the index was not reached, or did not answer in time


@dataclass(frozen=True, slots=True)
class Gap:
    """One such part.

    Attributes:
        cause: of what kind it is.
        what: the part, as typed or by its name; credentials are hidden.
        reason: why it was not worked out, as a clause without a full stop.
        name: of the package that must be built, by which a build is allowed; else empty.
    """

    cause: GapReason
    what: str
    reason: str
    name: str = ""

    def describe(self) -> str:
        """Return it as one clause."""
        return hide_credentials(f"{self.what}: {self.reason}" if self.what else self.reason)

    def to_dict(self) -> dict[str, JsonValue]:
        """Return it as JSON."""
        return {
            "cause": self.cause.value,
            "what": hide_credentials(self.what),
            "reason": hide_credentials(self.reason),
            "name": hide_credentials(self.name),
        }

    @classmethod
    def from_dict(cls, document: Mapping[str, str]) -> Gap:
        """Read what `to_dict` gave.

        Raises:
            KeyError, ValueError: the document is not a gap.
        """
        return cls(GapReason(document["cause"]), document["what"], document["reason"], document["name"])

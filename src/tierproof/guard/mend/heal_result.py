"""The result of a heal, and the diagnosis of the process afterwards."""

from __future__ import annotations

from dataclasses import dataclass

from tierproof.core.json_value import JsonValue
from tierproof.core.plain_html import escape_html
from tierproof.core.plain_text import clean_text
from tierproof.guard.mend.diagnosis import Diagnosis

FORMAT_VERSION = 1


@dataclass(frozen=True, slots=True)
class HealedPackage:
    """One package whose loaded version is back on disk.

    Attributes:
        package: normalised name.
        version: the loaded one, now on disk.
        replaced_version: the version that was on disk; empty if it was gone.
    """

    package: str
    version: str
    replaced_version: str

    def to_dict(self) -> dict[str, JsonValue]:
        """Return it as JSON."""
        return {"package": self.package, "version": self.version, "replaced_version": self.replaced_version}


@dataclass(frozen=True, slots=True)
class FailedHeal:
    """One package that is still torn, and why."""

    package: str
    reason: str

    def to_dict(self) -> dict[str, JsonValue]:
        """Return it as JSON."""
        return {"package": self.package, "reason": self.reason}


@dataclass(frozen=True, slots=True)
class Healing:
    """The result of a heal.

    Attributes:
        healed: packages that were put back.
        failed: packages that were not.
        diagnosis: made after the heal; it names modules that were imported while torn.
        duration_s: wall time in seconds.
    """

    healed: tuple[HealedPackage, ...]
    failed: tuple[FailedHeal, ...]
    diagnosis: Diagnosis
    duration_s: float

    @property
    def ok(self) -> bool:
        """True if nothing failed and the process is now healthy."""
        return not self.failed and self.diagnosis.healthy

    @property
    def exit_code(self) -> int:
        """0 = healed, 1 = still torn."""
        return 0 if self.ok else 1

    def to_dict(self) -> dict[str, JsonValue]:
        """Return the `heal --json` document."""
        return {
            "format_version": FORMAT_VERSION,
            "ok": self.ok,
            "healed": [each.to_dict() for each in self.healed],
            "failed": [each.to_dict() for each in self.failed],
            "diagnosis": self.diagnosis.to_dict(),
            "duration_s": self.duration_s,
        }

    def to_text(self) -> str:
        """Return the outcome as plain lines."""
        lines = [
            f"healed: {each.package} {each.version} is back on disk "
            f"(the disk had {each.replaced_version or 'no version of it'})"
            for each in self.healed
        ]
        lines += [f"{each.package} was not healed: {each.reason}" for each in self.failed]
        if not lines and not self.diagnosis.healthy:
            lines.append("nothing was changed: `tierproof heal` cannot repair the packages below")
        return clean_text("\n".join([*lines, self.diagnosis.to_text()]))

    def __str__(self) -> str:
        return self.to_text()

    def _repr_html_(self) -> str:
        lines = self.to_text().splitlines()[: len(self.healed) + len(self.failed)]
        return "".join(f"<p>{escape_html(line)}</p>" for line in lines) + self.diagnosis._repr_html_()

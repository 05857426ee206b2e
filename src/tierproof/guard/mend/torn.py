"""The facts about a package in a process and on disk, and what was decided from them: a `TornPackage`."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from tierproof.core.json_value import JsonValue


class TearSign(StrEnum):
    """The kinds of evidence for a tear; the values are part of the JSON documents."""

    VERSION = "version"
    NATIVE_LIBRARY_REPLACED = "native-library-replaced"
    RECORD_MISMATCH = "record-mismatch"
    DUPLICATE_METADATA = "duplicate-metadata"
    IMPORT_FAILS = "import-fails"
    IMPORTED_WHILE_TORN = "imported-while-torn"


class Remedy(StrEnum):
    """The remedies of a tear: put the loaded version back on disk, restart the process, or reinstall."""

    HEAL = "heal"
    RESTART = "restart"
    REINSTALL = "reinstall"


@dataclass(frozen=True, slots=True)
class LoadedPackage:
    """The state of a distribution in a process.

    Attributes:
        name: of the distribution.
        version: the loaded one; empty if unknown.
        is_exact: the version is that of its metadata; else it is a `__version__`, which may be shorter.
        replaced: native libraries that are mapped and no longer on disk, by file name.
        differing: modules whose code differs from the disk.
        late: native libraries of the version on disk that are mapped beside those of another, by file name.
        failed_heal: why putting the loaded version back has failed already; empty if it was not tried.
        pid: of the process; 0 for the calling one.
    """

    name: str
    version: str = ""
    is_exact: bool = False
    replaced: tuple[str, ...] = ()
    differing: tuple[str, ...] = ()
    late: tuple[str, ...] = ()
    failed_heal: str = ""
    pid: int = 0


@dataclass(frozen=True, slots=True)
class DiskPackage:
    """The state of a distribution on disk.

    Attributes:
        version: from its metadata; empty if the distribution is gone.
        mismatches: files that matched RECORD at first sight and no longer do.
        duplicates: versions with metadata, if there is more than one now and was not at first sight.
        import_error: why a fresh process cannot import it, or what this process has imported that rests on it.
        was_tried: whether a fresh process has tried.
        overwritten_by: another distribution, with its version, whose files lie where those of this one were.
        needed: the versions that would meet every declared requirement, where the one on disk does not.
        installer: the program that installed it, from INSTALLER.
        changed_at: the time of the install, in seconds since the epoch; 0 if unknown.
        stashes: folders that an interrupted pip left behind.
    """

    version: str = ""
    mismatches: tuple[str, ...] = ()
    duplicates: tuple[str, ...] = ()
    import_error: str = ""
    was_tried: bool = False
    overwritten_by: str = ""
    needed: str = ""
    installer: str = ""
    changed_at: float = 0.0
    stashes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class TornPackage:
    """One torn package, with its evidence and remedy.

    Attributes:
        package: normalised name.
        loaded_version: empty if it is not loaded, or the version is unknown.
        disk_version: empty if it is gone from disk.
        evidence: at least one kind.
        remedy: how to repair it.
        detail: the explanation, in a few sentences.
        modules: modules whose code differs from the disk.
        pid: of the process that has it loaded; 0 for the calling process, or for none.
    """

    package: str
    loaded_version: str
    disk_version: str
    evidence: tuple[TearSign, ...]
    remedy: Remedy
    detail: str
    modules: tuple[str, ...] = ()
    pid: int = 0

    def to_dict(self) -> dict[str, JsonValue]:
        """Return it as JSON."""
        return {
            "package": self.package,
            "loaded_version": self.loaded_version,
            "disk_version": self.disk_version,
            "evidence": [each.value for each in self.evidence],
            "remedy": self.remedy.value,
            "detail": self.detail,
            "modules": list(self.modules),
            "pid": self.pid,
        }

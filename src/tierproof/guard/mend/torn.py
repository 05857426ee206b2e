"""Decides whether a package is torn: whether a process runs another version than the one on disk."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from enum import StrEnum

from packaging.version import InvalidVersion, Version

from tierproof.core.json_value import JsonValue


class Evidence(StrEnum):
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
        replaced: native libraries that are mapped and no longer on disk, by file name.
        differing: modules whose code differs from the disk.
        pid: of the process; 0 for the calling one.
    """

    name: str
    version: str = ""
    replaced: tuple[str, ...] = ()
    differing: tuple[str, ...] = ()
    pid: int = 0


@dataclass(frozen=True, slots=True)
class DiskPackage:
    """The state of a distribution on disk.

    Attributes:
        version: from its metadata; empty if the distribution is gone.
        mismatches: files that matched RECORD at first sight and no longer do.
        duplicates: versions with metadata, if there is more than one now and was not at first sight.
        import_error: the last line of a failed import in a fresh process.
        installer: the program that installed it, from INSTALLER.
        changed_at: the time of the install, in seconds since the epoch; 0 if unknown.
        stashes: folders that an interrupted pip left behind.
    """

    version: str = ""
    mismatches: tuple[str, ...] = ()
    duplicates: tuple[str, ...] = ()
    import_error: str = ""
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
    evidence: tuple[Evidence, ...]
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


def judge_package(loaded: LoadedPackage, disk: DiskPackage) -> TornPackage | None:
    """Judge one package from the captured facts; None if there is no evidence of a tear.

    A version alone is not evidence: packages are careless with `__version__`. It counts together with a library or
    a module that differs.
    """
    evidence = []
    runs_another = bool(loaded.replaced or loaded.differing)
    if runs_another and loaded.version and not agree(loaded.version, disk.version):
        evidence.append(Evidence.VERSION)
    if loaded.replaced:
        evidence.append(Evidence.NATIVE_LIBRARY_REPLACED)
    if disk.mismatches:
        evidence.append(Evidence.RECORD_MISMATCH)
    if disk.duplicates:
        evidence.append(Evidence.DUPLICATE_METADATA)
    if disk.import_error:
        evidence.append(Evidence.IMPORT_FAILS)
    if loaded.differing and Evidence.VERSION not in evidence and not loaded.replaced:
        evidence.append(Evidence.IMPORTED_WHILE_TORN)
    if not evidence:
        return None
    remedy = choose_remedy(loaded, tuple(evidence))
    return TornPackage(
        loaded.name,
        loaded.version,
        disk.version,
        tuple(evidence),
        remedy,
        describe(loaded, disk, tuple(evidence), remedy),
        loaded.differing,
        loaded.pid,
    )


def agree(loaded: str, disk: str) -> bool:
    """Tell whether two spellings may name one version: equal, or one a shorter form of the other's release."""
    try:
        first, second = Version(loaded), Version(disk)
    except InvalidVersion:
        return loaded == disk
    if first.public == second.public:
        return True
    shorter, longer = sorted((first.release, second.release), key=len)
    return len(shorter) < len(longer) and longer[: len(shorter)] == shorter and first.pre == second.pre


def choose_remedy(loaded: LoadedPackage, evidence: tuple[Evidence, ...]) -> Remedy:
    """Choose the remedy. Putting back the version that is already on *disk* would change nothing."""
    if Evidence.VERSION in evidence or Evidence.NATIVE_LIBRARY_REPLACED in evidence:
        return Remedy.HEAL if loaded.version else Remedy.RESTART
    if Evidence.IMPORTED_WHILE_TORN in evidence:
        return Remedy.RESTART
    return Remedy.REINSTALL


def describe(loaded: LoadedPackage, disk: DiskPackage, evidence: tuple[Evidence, ...], remedy: Remedy) -> str:
    """Describe in a few sentences what happened and how to repair it."""
    process = f"process {loaded.pid}" if loaded.pid else "this process"
    name, sentences = loaded.name, []
    if Evidence.VERSION in evidence or Evidence.NATIVE_LIBRARY_REPLACED in evidence:
        held = f"the disk has {disk.version}" if disk.version else "the disk no longer has it"
        sentences.append(
            f"{process} runs {name} {loaded.version or '(version unknown)'}; {held}{_who(disk)}."
        )
    if loaded.replaced:
        sentences.append(f"Libraries in use, but no longer on disk: {_list(loaded.replaced)}.")
    if Evidence.IMPORTED_WHILE_TORN in evidence:
        sentences.append(
            f"These modules in {process} differ from the code on disk: {_list(loaded.differing, 40)}."
        )
    if disk.mismatches:
        sentences.append(f"These files do not match the RECORD of {name}: {_list(disk.mismatches)}.")
    if disk.duplicates:
        sentences.append(f"The metadata of several versions is on disk: {_list(disk.duplicates)}.")
    if disk.import_error:
        sentences.append(f"A fresh Python cannot import it: {disk.import_error}")
    if disk.stashes:
        sentences.append(f"An interrupted pip left {_list(disk.stashes)} behind.")
    said = _RECOVER if remedy is Remedy.REINSTALL and disk.installer == "tierproof" else _REMEDIES[remedy]
    sentences.append(said.format(name=name, version=loaded.version, disk=disk.version))
    text = " ".join(sentences)
    return text[0].upper() + text[1:]


_REMEDIES = {
    Remedy.HEAL: "Call `tp.heal()` in that process to put {version} back on disk, without a restart.",
    Remedy.RESTART: "Restart the process: it then loads the version on disk.",
    Remedy.REINSTALL: 'Reinstall it: pip install --force-reinstall --no-deps "{name}=={disk}"',
}
_RECOVER = "tierproof added it: run `tierproof recover` to restore the generation."


def _who(disk: DiskPackage) -> str:
    by = f" by {disk.installer}" if disk.installer else ""
    if not disk.changed_at:
        return f", installed{by}" if by else ""
    when = dt.datetime.fromtimestamp(disk.changed_at).astimezone()
    return f", installed{by} on {when:%Y-%m-%d at %H:%M:%S}"


def _list(items: tuple[str, ...], most: int = 4) -> str:
    shown = ", ".join(items[:most])
    return f"{shown} and {len(items) - most} more" if len(items) > most else shown

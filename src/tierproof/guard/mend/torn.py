"""The judgement: is a package torn, that is, does a process run another one than the disk holds."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from enum import StrEnum

from packaging.version import InvalidVersion, Version

from tierproof.core.json_value import JsonValue


class Evidence(StrEnum):
    """What speaks for a tear; the values are the contract's."""

    VERSION = "version"
    NATIVE_LIBRARY_REPLACED = "native-library-replaced"
    RECORD_MISMATCH = "record-mismatch"
    DUPLICATE_METADATA = "duplicate-metadata"
    IMPORT_FAILS = "import-fails"
    IMPORTED_WHILE_TORN = "imported-while-torn"


class Remedy(StrEnum):
    """What mends a tear: the loaded version back on disk, a new process, or the distribution once more."""

    HEAL = "heal"
    RESTART = "restart"
    REINSTALL = "reinstall"


@dataclass(frozen=True, slots=True)
class LoadedPackage:
    """What a process has of a distribution.

    Attributes:
        name: of the distribution.
        version: as loaded; empty where it could not be learned.
        replaced: native libraries that are mapped and no longer on disk, by file name.
        differing: modules whose code is not the disk's.
        pid: of the process; 0 for the one that asks.
    """

    name: str
    version: str = ""
    replaced: tuple[str, ...] = ()
    differing: tuple[str, ...] = ()
    pid: int = 0


@dataclass(frozen=True, slots=True)
class DiskPackage:
    """What the disk holds of a distribution.

    Attributes:
        version: as its metadata says; empty where the distribution is gone.
        mismatches: files that are not as RECORD says and were so at first sight.
        duplicates: versions with metadata of their own, where there is more than one and was not at first.
        import_error: the last line of a failed import in a fresh process.
        installer: who put it there.
        changed_at: when, in seconds since the epoch; 0 where unknown.
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
    """One package that is torn, by what, and what mends it.

    Attributes:
        package: normalised name.
        loaded_version: empty where nothing of it is loaded, or the version could not be learned.
        disk_version: empty where it is gone.
        evidence: at least one code.
        remedy: what mends it.
        detail: a few sentences for a person.
        modules: those whose code is not the disk's.
        pid: of the process that has it loaded; 0 for the one that asks, or none.
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
        """Give it as in the contract's JSON."""
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
    """Judge one package from what was captured; None when nothing speaks for a tear.

    A version alone is no evidence: packages are careless with `__version__`. It counts beside a library or
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
    """What mends it. Putting back the version found on *disk* would change nothing, so that is never it."""
    if Evidence.VERSION in evidence or Evidence.NATIVE_LIBRARY_REPLACED in evidence:
        return Remedy.HEAL if loaded.version else Remedy.RESTART
    if Evidence.IMPORTED_WHILE_TORN in evidence:
        return Remedy.RESTART
    return Remedy.REINSTALL


def describe(loaded: LoadedPackage, disk: DiskPackage, evidence: tuple[Evidence, ...], remedy: Remedy) -> str:
    """Say in a few sentences what happened and what mends it."""
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

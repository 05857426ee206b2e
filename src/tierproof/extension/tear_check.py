"""After each cell: was something torn anyway? Cheap while nothing changed on disk."""

from __future__ import annotations

from collections.abc import Callable

from tierproof.extension.loaded_stamp import LoadedStamp
from tierproof.extension.notice import Notice
from tierproof.guard.mend.diagnosis import Diagnosis
from tierproof.guard.mend.torn import Remedy, TearSign, TornPackage

_REMEDIES = {
    Remedy.HEAL: "tp.heal()  (or %tierproof heal) puts the loaded version back without a restart",
    Remedy.RESTART: "restart the kernel",
    Remedy.REINSTALL: "install it again; tp.doctor() names the command",
}
_SIGNS = {
    TearSign.VERSION: "another version is loaded",
    TearSign.NATIVE_LIBRARY_REPLACED: "a loaded native library was replaced",
    TearSign.RECORD_MISMATCH: "files on disk were changed",
    TearSign.DUPLICATE_METADATA: "the metadata of several versions is on disk",
    TearSign.IMPORT_FAILS: "a new Python process cannot import it",
    TearSign.IMPORTED_WHILE_TORN: "this kernel mixes two versions",
}


class TearCheck:
    """Looks at the files of what is loaded, and asks the doctor when one has changed.

    Args:
        diagnose: the doctor.
    """

    def __init__(self, diagnose: Callable[[], Diagnosis]) -> None:
        self._diagnose = diagnose
        self._stamp = LoadedStamp()
        self._told: set[tuple[str, str, str]] = set()

    def look(self, *, always: bool = False) -> Notice | None:
        """Give a notice of tears that have not been told yet.

        Args:
            always: the doctor is asked even where no file has changed.
        """
        if not self._stamp.find_changed() and not always:
            return None
        torn = self._diagnose().torn
        keys = {_key(each): each for each in torn}
        new = [each for key, each in keys.items() if key not in self._told]
        self._told = set(keys)  # what was mended may be told again
        return describe_tears(new) if new else None


def describe_tears(torn: list[TornPackage]) -> Notice:
    """Put tears into a notice with their remedies."""
    lines = [
        f"{each.package}: {each.loaded_version or 'a version'} is loaded, "
        f"{f'{each.disk_version} is' if each.disk_version else 'nothing is'} on disk"
        if each.loaded_version != each.disk_version
        else f"{each.package} {each.disk_version}: {', '.join(_SIGNS[sign] for sign in each.evidence)}"
        for each in torn
    ]
    for remedy in dict.fromkeys(each.remedy for each in torn):
        named = ", ".join(each.package for each in torn if each.remedy is remedy)
        lines.append(f"{named}: {_REMEDIES[remedy]}")
    names = ", ".join(each.package for each in torn)
    replaced = all(each.loaded_version != each.disk_version for each in torn)
    said = (
        "this kernel runs another version than the one on disk"
        if replaced
        else "the files on disk are not those that this kernel has loaded"
    )
    return Notice(f"{names}: {said}.", tuple(lines), "error")


def _key(torn: TornPackage) -> tuple[str, str, str]:
    return torn.package, torn.disk_version, ",".join(torn.evidence)

"""Describes in a few sentences what happened to a package and how to repair it."""

from __future__ import annotations

import datetime as dt

from tierproof.guard.mend.torn import DiskPackage, LoadedPackage, Remedy, TearSign

_FEW = 4
_MANY = 40


def describe(loaded: LoadedPackage, disk: DiskPackage, evidence: tuple[TearSign, ...], remedy: Remedy) -> str:
    """Describe the evidence, and end with what to do."""
    process = f"process {loaded.pid}" if loaded.pid else "this process"
    name, sentences = loaded.name, []
    if disk.overwritten_by:
        runs = f"{process} runs" if loaded.version else "the disk has"
        version = loaded.version or disk.version
        sentences.append(f"{runs} {name} {version}, whose files {disk.overwritten_by} has overwritten.")
    elif loaded.replaced or TearSign.VERSION in evidence:
        held = f"the disk has {disk.version}" if disk.version else "the disk no longer has it"
        sentences.append(
            f"{process} runs {name} {loaded.version or '(version unknown)'}; {held}{_who(disk)}."
        )
    if loaded.replaced:
        sentences.append(f"Libraries in use, but no longer on disk: {_list(loaded.replaced)}.")
    if loaded.differing and (TearSign.IMPORTED_WHILE_TORN in evidence or not loaded.version):
        named = _list(loaded.differing, _FEW if loaded.late else _MANY)
        sentences.append(f"These modules in {process} differ from the code on disk: {named}.")
    if loaded.late:
        sentences.append(
            f"After the install {process} has also loaded {_list(loaded.late)} of version {disk.version}: "
            "it now mixes two versions."
        )
    sentences += _describe_disk(name, disk)
    if loaded.failed_heal:
        sentences.append(
            f"An earlier attempt to put the loaded version back failed: {loaded.failed_heal.rstrip('.')}."
        )
    sentences.append(_advise(loaded, disk, evidence, remedy))
    text = " ".join(sentences)
    return text[0].upper() + text[1:]


def _describe_disk(name: str, disk: DiskPackage) -> list[str]:
    sentences = []
    if disk.mismatches and not disk.overwritten_by:
        sentences.append(
            f"These files differ from the list of installed files (RECORD) of {name}: {_list(disk.mismatches)}."
        )
    if disk.duplicates:
        sentences.append(f"The metadata of several versions is on disk: {_list(disk.duplicates)}.")
    if disk.import_error:
        sentences.append(f"A new Python process cannot import it: {disk.import_error.rstrip('.')}.")
    if disk.stashes:
        sentences.append(f"An interrupted pip left {_list(disk.stashes)} behind.")
    return sentences


def _advise(loaded: LoadedPackage, disk: DiskPackage, evidence: tuple[TearSign, ...], remedy: Remedy) -> str:
    match remedy:
        case Remedy.HEAL:
            place = "in that process" if loaded.pid else "here"
            text = (
                f"Call `tp.heal()` {place} to put {loaded.version} back on disk, without a restart. If its result "
                "lists modules imported since the install, then restart as well: these modules run the other version's "
                "code."
            )
            if TearSign.IMPORTED_WHILE_TORN in evidence:
                text = f"Call `tp.heal()` {place} to put {loaded.version} back on disk, and then restart the process."
            return text
        case Remedy.RESTART:
            tried = " (a new Python process can import it)" if disk.was_tried else ""
            return f"Restart the process: it then loads the version on disk{tried}."
        case _:
            return _advise_reinstall(loaded, disk, evidence)


def _advise_reinstall(loaded: LoadedPackage, disk: DiskPackage, evidence: tuple[TearSign, ...]) -> str:
    if disk.installer == "tierproof":
        return "tierproof added it: run `tierproof recover` to restore its files."
    then = ""
    if TearSign.IMPORTED_WHILE_TORN in evidence:
        then = ", and then restart the process"
    elif loaded.replaced or loaded.differing:
        then = (
            f", and then call `tp.doctor()` again. If it still names {loaded.name}, then restart the process."
        )
    if loaded.version and loaded.version != disk.version:
        wanted = f"{loaded.name}=={loaded.version}"
    elif disk.needed:
        wanted = f"{loaded.name}{disk.needed}"
    elif not disk.version:
        wanted = loaded.name
    else:
        return f'Reinstall it: pip install --force-reinstall --no-deps "{loaded.name}=={disk.version}"{then}'
    return f'Reinstall it: pip install --no-deps "{wanted}"{then}'


def _who(disk: DiskPackage) -> str:
    by = f" by {disk.installer}" if disk.installer else ""
    if not disk.changed_at:
        return f", installed{by}" if by else ""
    when = dt.datetime.fromtimestamp(disk.changed_at).astimezone()
    return f", installed{by} on {when:%Y-%m-%d at %H:%M:%S}"


def _list(items: tuple[str, ...], most: int = _FEW) -> str:
    shown = ", ".join(items[:most])
    return f"{shown} and {len(items) - most} more" if len(items) > most else shown

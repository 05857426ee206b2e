"""Finds the loaded distributions: of this process, or of every running Python process of this user."""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from tierproof.guard.capture.installed import InstalledDistribution
from tierproof.guard.capture.inventory import parse_inventory
from tierproof.guard.capture.loaded import LoadedModule, capture_loaded_modules
from tierproof.guard.capture.start_hooks import find_start_hooks
from tierproof.guard.system.search_path import read_search_path

_NATIVE = (".so", ".pyd", ".dylib", ".dll")


@dataclass(frozen=True, slots=True)
class Loaded:
    """The distributions that are loaded.

    Attributes:
        names: normalised names of the distributions that must not change.
        how_known: one sentence on how this was determined, for a plan's explanation.
    """

    names: frozenset[str] = frozenset()
    how_known: str = ""


def find_loaded_here(installed: Sequence[InstalledDistribution]) -> Loaded:
    """Find what this process has imported, by the files of its modules.

    What a `.pth` file imports into every process does not count: it is complete in itself.
    """
    hooks = find_start_hooks(read_search_path())
    modules = [each for each in capture_loaded_modules() if each.name.partition(".")[0] not in hooks]
    files = [str(module.file) for module in modules]
    below = {root: _strip_root(root, files) for root in {item.root for item in installed}}
    names = {item.name for item in installed if _owns_one(item, below[item.root], modules)}
    return Loaded(frozenset(names), "Packages count as loaded if this process has imported them.")


def find_loaded_by_live_processes(installed: Sequence[InstalledDistribution]) -> Loaded:
    """Find what any other live Python process of this user may have loaded from this environment.

    Native libraries show in the memory maps. Pure Python leaves no trace outside its process: while any
    such process lives, every distribution without a native library counts as loaded.
    """
    everything = frozenset(item.name for item in installed)
    if not Path("/proc/self/maps").exists():
        return Loaded(
            everything,
            "This system does not show what other processes use, so every installed package counts as loaded.",
        )
    mapped: set[str] = set()
    processes = 0
    for process in iterate_python_processes():
        files = read_mapped_files(process)
        if files is None:
            return Loaded(
                everything,
                f"Process {process.name} cannot be inspected, so every installed package counts as loaded.",
            )
        processes += 1
        mapped |= files
    if not processes:
        return Loaded(
            frozenset(),
            "No other running Python process uses this environment, so no package counts as loaded.",
        )
    names = {item.name for item in installed if _may_be_loaded(item, mapped)}
    return Loaded(
        frozenset(names),
        f"{processes} of your running Python processes may use this environment. A package counts as loaded if "
        "one of them has loaded a native library of it, or if it has no native library (pure Python cannot be "
        "seen from outside).",
    )


def _strip_root(root: Path, files: Iterable[str]) -> frozenset[str]:
    """The files below `root`, as RECORD spells them."""
    folder = os.path.join(os.path.abspath(root), "")  # noqa: PTH100, PTH118 - as modules spell it, links unresolved
    return frozenset(file[len(folder) :] for file in files if file.startswith(folder))


def _owns_one(item: InstalledDistribution, below: frozenset[str], modules: Sequence[LoadedModule]) -> bool:
    """Tell whether a module is this distribution's; `below` are the modules' files in its root."""
    listed = _list_files(item)
    if listed is not None and not below.isdisjoint(listed):
        return True
    # Without RECORD its names are all there is to go by; an editable project lies anywhere.
    if _is_editable(item):
        tops = {module.name.partition(".")[0] for module in modules}
        return any(top in tops for top in _read_top_levels(item))
    if listed is not None:
        return False
    names = {module.name for module in modules if module.file.is_relative_to(item.root)}
    dotted = item.name.replace("-", ".")  # a namespace is nobody's: google-auth has google.auth
    return dotted in names or any(top in names for top in _read_top_levels(item))


def _may_be_loaded(item: InstalledDistribution, mapped: set[str]) -> bool:
    root = os.path.abspath(item.root)  # noqa: PTH100 - links unresolved
    native = [
        os.path.join(root, file)  # noqa: PTH118
        for file in _list_files(item) or ()
        if file.endswith(_NATIVE) or ".so." in file
    ]
    return not native or any(file in mapped or os.path.realpath(file) in mapped for file in native)


def _list_files(item: InstalledDistribution) -> list[str] | None:
    """Return the paths that RECORD names, from the root on, or None if there is no RECORD."""
    try:
        text = (item.metadata_path / "RECORD").read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError):
        return _list_inventoried(item)
    return [path for line in text.splitlines() if (path := line.rsplit(",", 2)[0].strip('"'))]


def _list_inventoried(item: InstalledDistribution) -> list[str] | None:
    """Return the paths that the inventory of a generation names, or None if there is none."""
    if item.installer != "tierproof":
        return None
    try:
        text = (item.root.parent / "inventory.json").read_text(encoding="utf-8", errors="surrogateescape")
        return list(parse_inventory(text).packages[item.name].files)
    except (OSError, ValueError, KeyError):
        return None


def _is_editable(item: InstalledDistribution) -> bool:
    try:
        text = (item.metadata_path / "direct_url.json").read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError):
        return False
    return '"editable"' in text


def _read_top_levels(item: InstalledDistribution) -> Iterator[str]:
    yield item.name.replace("-", "_")
    try:
        yield from (item.metadata_path / "top_level.txt").read_text(encoding="utf-8").split()
    except (OSError, UnicodeDecodeError):
        return


def iterate_python_processes() -> Iterator[Path]:
    """Yield the /proc folders of this user's other Python processes that may use this environment."""
    own = _read_program(Path("/proc/self"))
    for entry in Path("/proc").iterdir():
        if not entry.name.isdigit() or int(entry.name) == os.getpid():
            continue
        try:
            if entry.stat().st_uid != os.getuid():
                continue
            command = _find_command(entry)
            program = _read_program(entry)
        except OSError:  # gone meanwhile, or not ours to look at
            continue
        # One without a command is ending, or not yet the program that it will be.
        if command and program == own and not _is_of_other_environment(command):
            yield entry


def _read_program(process: Path) -> str:
    """Return the program that a process runs, also where an upgrade has replaced it meanwhile."""
    return os.readlink(process / "exe").removesuffix(" (deleted)")  # noqa: PTH115


def _find_command(process: Path) -> str:
    """Return what a process was started as, absolute where the folder or the PATH that it was given tells."""
    command = os.fsdecode((process / "cmdline").read_bytes().split(b"\0")[0])
    if command.startswith(os.sep) or not command:
        return command
    try:
        lines = (process / "environ").read_bytes().split(b"\0")
    except OSError:
        return command
    given = dict(os.fsdecode(line).partition("=")[::2] for line in lines)
    if os.sep not in command:
        return shutil.which(command, path=given.get("PATH", "")) or command
    started = Path(given.get("PWD", ""), command)
    return str(started) if started.is_absolute() and started.exists() else command


@lru_cache(maxsize=256)
def _is_of_other_environment(command: str) -> bool:
    """Tell whether a process started as `command` surely runs in another environment than ours.

    A virtual environment is where the command lies, any other where the links of the command lead to.
    """
    if not os.path.isabs(command):  # noqa: PTH117 - nobody knows where from: it may be ours
        return False
    prefix = Path(command).parent.parent
    if not (prefix / "pyvenv.cfg").exists():
        prefix = Path(os.path.realpath(command)).parent.parent
    return os.path.realpath(prefix) != os.path.realpath(sys.prefix)


def read_mapped_files(process: Path) -> set[str] | None:
    """Return the files that a process maps; None if that is refused, nothing where it has ended."""
    try:
        text = (process / "maps").read_text(encoding="utf-8", errors="surrogateescape")
    except PermissionError:
        return None
    except OSError:
        return set()
    return set(_iterate_mapped(text.splitlines()))


def _iterate_mapped(lines: Iterable[str]) -> Iterator[str]:
    for line in lines:
        fields = line.split(maxsplit=5)
        if len(fields) == 6 and fields[5].startswith("/"):
            yield fields[5].removesuffix(" (deleted)")

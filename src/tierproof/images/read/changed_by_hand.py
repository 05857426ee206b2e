"""Programs that change the image's packages by their files, past pip: `rm -r …/dist-packages/numpy*`."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

from tierproof.guard.commands.shell_script import ProgramCall

# Where the packages of a hosted image lie, and the folders above: to unpack an archive there may bring packages.
_PACKAGES = re.compile(
    r"(?:/usr|/usr/local|/opt/conda|/root/\.local|/home/[^/]+/\.local)/lib/python(?P<version>[^/]*)"
    r"/(?:dist|site)-packages(?:/|\Z)"
)
_ABOVE = re.compile(r"/(usr(/local)?(/lib(/python[^/]*)?)?)?\Z")
_REMOVING = ("rm", "rmdir", "unlink", "mv")
_COPYING = ("cp", "ln", "rsync", "install")
_UNPACKING = {"tar": ("-C", "--directory"), "unzip": ("-d",), "7z": ("-o",)}
_FETCHING = {"wget": ("-O", "--output-document"), "curl": ("-o", "--output")}
_FILE = re.compile(r"[^/]\.[A-Za-z]\w{0,4}\Z")


@dataclass(frozen=True, slots=True)
class HandChange:
    """What a program changes among the image's packages.

    Attributes:
        place: the file or folder, as typed.
        is_edit: only the text of single files changes; every package keeps its version.
    """

    place: str
    is_edit: bool = False


def find_hand_change(call: ProgramCall, locate: Callable[[str], Path], python: str) -> HandChange | None:
    """Return what a program removes from, copies to, unpacks in or edits in the folder of packages; None for nothing.

    Args:
        call: any program.
        locate: gives the path of a file by its name where that program runs.
        python: version of the image's Python; empty if it is not known. Other Pythons' folders do not count.
    """
    name, rest = call.words[0].rpartition("/")[2], call.words[1:]
    operands = [word for word in rest if not word.startswith("-")]
    edited = [each.target for each in call.redirections if each.sign in (">", ">>", ">|")]
    touched: list[str] = []
    if name in _REMOVING:
        touched = operands
    elif name in _COPYING and all(_FILE.search(word) for word in operands[:-1]):
        edited += operands[-1:]
    elif name in _COPYING or (name == "git" and operands[:1] == ["clone"]):
        touched = operands[-1:]
    elif name == "sed" and any(word.startswith("-i") for word in rest):
        edited += operands[1:]
    elif name in _FETCHING:
        edited += _list_values(rest, _FETCHING[name])
    else:
        touched = _list_unpacked(name, rest)
    for word in touched:
        path = str(locate(word))
        if _is_of_image(path, python) or (name in _UNPACKING and _ABOVE.match(path)):
            return HandChange(word)
    return next((HandChange(word, True) for word in edited if _is_of_image(str(locate(word)), python)), None)


def _list_unpacked(name: str, rest: Sequence[str]) -> list[str]:
    """Return the folder that an archive is unpacked to."""
    if name not in _UNPACKING or (name == "tar" and not _extracts(rest)):
        return []
    return _list_values(rest, _UNPACKING[name])


def _list_values(rest: Sequence[str], options: Sequence[str]) -> list[str]:
    """Return the values of options: `-C /usr`, `-C/usr`, `--directory=/usr`."""
    apart = [value for word, value in pairwise(rest) if word in options]
    return apart + [
        word[len(option) :].removeprefix("=")
        for word in rest
        for option in options
        if word.startswith(option) and word != option and (not option.startswith("--") or "=" in word)
    ]


def _extracts(rest: Sequence[str]) -> bool:
    """Tell whether `tar` unpacks: `tar xf`, `tar -xzf`, `tar -C / -xf`, `--extract`."""
    return any(
        word in ("--extract", "--get")
        or (re.match(r"-[A-Za-z]*x", word) is not None)
        or (at == 0 and re.match(r"[A-Za-z]*x[A-Za-z]*\Z", word) is not None)
        for at, word in enumerate(rest)
    )


def _is_of_image(path: str, python: str) -> bool:
    match = _PACKAGES.match(path)
    if match is None:
        return False
    version = match["version"]
    is_known = re.fullmatch(r"\d+\.\d+", version) is not None and bool(python)
    return not is_known or python == version or python.startswith(f"{version}.")

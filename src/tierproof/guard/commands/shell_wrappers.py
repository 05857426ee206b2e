"""Programs that run another program, or a script that stands in their words."""

from __future__ import annotations

import os
import re
import shlex
from collections.abc import Sequence
from dataclasses import dataclass

_KEYWORDS_NAMES = "exec command builtin nohup noglob nocorrect coproc chronic unbuffer catchsegv setarch"
_KEYWORDS = frozenset(_KEYWORDS_NAMES.split())


@dataclass(frozen=True, slots=True)
class Wrapper:
    """How a program is written that runs another one.

    Attributes:
        valued: its short options that take a value.
        operands: how many words stand between its options and the program.
        script: the option whose value is a script instead.
        is_loose: its operands may be left out, where the next word is no number.
    """

    valued: str = ""
    operands: int = 0
    script: str = ""
    is_loose: bool = False


WRAPPERS = {
    "sudo": Wrapper("ughpCDRTrt"),
    "doas": Wrapper("uC"),
    "env": Wrapper("uCS"),
    "nice": Wrapper("n"),
    "ionice": Wrapper("cnpPu"),
    "timeout": Wrapper("ks", 1, is_loose=True),
    "time": Wrapper("fo"),
    "xargs": Wrapper("IdEnLPas"),
    "stdbuf": Wrapper("ioe"),
    "setsid": Wrapper(),
    "flock": Wrapper("wE", 1, script="c"),
    "chrt": Wrapper("TPD", 1, is_loose=True),
    "taskset": Wrapper("", 1),
    "numactl": Wrapper("NCim"),
    "strace": Wrapper("oepsEPSuXaIb"),
    "ltrace": Wrapper("oepsunalF"),
    "faketime": Wrapper("", 1),
    "cpulimit": Wrapper("lpe"),
    "systemd-run": Wrapper("puMEH"),
    "busybox": Wrapper(),
    "gosu": Wrapper("", 1),
    "xvfb-run": Wrapper("npsef"),
    "dbus-run-session": Wrapper(),
    "fakeroot": Wrapper("lsib"),
    "unshare": Wrapper("SGR"),
    "caffeinate": Wrapper("tw"),
    "su": Wrapper("sgGw", script="c"),
    "runuser": Wrapper("ugGsw", script="c"),
    "sg": Wrapper("", 1, script="c"),
    "script": Wrapper("BEIOoTtm", script="c"),
    "watch": Wrapper("nq"),
    "exec": Wrapper("a"),
}
_DURATION = re.compile(r"\d+(\.\d+)?[smhd]?\Z")
_NUMBER = re.compile(r"\d+\Z")
_ASSIGNMENT = re.compile(r"([A-Za-z_]\w*)\+?=(.*)\Z", re.DOTALL)
_SCRIPT_ONLY = ("su", "script", "watch")


def strip_prefixes(words: Sequence[str]) -> tuple[dict[str, str], list[str]]:
    """Remove what precedes a program: assignments, `sudo`, `env`, `timeout` and their like."""
    assigned, rest = read_assignments(list(words))
    while rest:
        name = os.path.basename(rest[0])  # noqa: PTH119 - a word, no file
        wrapper = WRAPPERS.get(name)
        if name in _KEYWORDS:
            asks = name == "command" and rest[1:2] in (["-v"], ["-V"])
            if asks:
                break
            rest = _skip_options(rest[1:], wrapper.valued if wrapper else "")
        elif wrapper is None or find_script_option(rest) or name in _SCRIPT_ONLY:
            break
        elif name == "env" and (split := _split_string(rest[1:])) is not None:
            rest = split
        else:
            rest = _skip_options(rest[1:], wrapper.valued)
            for _ in range(wrapper.operands):
                if rest and not (
                    wrapper.is_loose and not (_DURATION.match(rest[0]) or _NUMBER.match(rest[0]))
                ):
                    rest = rest[1:]
        more, rest = read_assignments(rest)
        assigned |= more
    return assigned, rest


def find_script_option(words: Sequence[str]) -> str:
    """The script in `su -c SCRIPT`, `script -qc SCRIPT`, `flock FILE -c SCRIPT`; empty if there is none."""
    name = os.path.basename(words[0])  # noqa: PTH119 - a word, no file
    wrapper = WRAPPERS.get(name)
    if wrapper is None or not wrapper.script:
        return ""
    operands, at = 0, 1
    while at < len(words) and not (name in ("flock", "sg") and operands > 1):
        word = words[at]
        if word.startswith("--command="):
            return word.partition("=")[2]
        is_short = re.match(r"-[^-]", word) is not None
        if (word == "--command" or (is_short and word.endswith(wrapper.script))) and at + 1 < len(words):
            return words[at + 1]
        operands += not word.startswith("-")
        at += 2 if is_short and len(word) == 2 and word[1] in wrapper.valued else 1
    return ""


def _split_string(words: Sequence[str]) -> list[str] | None:
    """The words of `env -S 'pip install x'`; None without that option."""
    for at, word in enumerate(words):
        value = ""
        if word == "--split-string" or re.match(r"-[a-zA-Z]*S\Z", word):
            value, rest = " ".join(words[at + 1 : at + 2]), words[at + 2 :]
        elif word.startswith("--split-string="):
            value, rest = word.partition("=")[2], words[at + 1 :]
        elif re.match(r"-[a-zA-Z]*S.", word):
            value, rest = word.partition("S")[2], words[at + 1 :]
        elif not word.startswith("-") and not _ASSIGNMENT.match(word):
            return None
        if value:
            try:
                return [*shlex.split(value), *rest]
            except ValueError:
                return [*value.split(), *rest]
    return None


def read_assignments(words: Sequence[str]) -> tuple[dict[str, str], list[str]]:
    """Return the `NAME=value` words at the beginning, and the rest."""
    found: dict[str, str] = {}
    rest = list(words)
    while rest and (match := _ASSIGNMENT.match(rest[0])):
        found[match[1]] = match[2]
        rest.pop(0)
    return found, rest


def _skip_options(words: list[str], valued: str) -> list[str]:
    rest = list(words)
    while rest and rest[0].startswith("-"):
        word = rest.pop(0)
        if word == "--":
            break
        if not word.startswith("--") and word[-1] in valued and len(word) == 2 and rest:
            rest.pop(0)
    return rest

"""Which options of pip and uv take a value, and how people write options."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

_SHORT = {
    "r": "requirement",
    "c": "constraint",
    "e": "editable",
    "t": "target",
    "i": "index-url",
    "f": "find-links",
    "U": "upgrade",
    "I": "ignore-installed",
    "q": "quiet",
    "v": "verbose",
    "y": "yes",
    "d": "dest",
    "C": "config-settings",
    "h": "help",
    "V": "version",
    "P": "upgrade-package",
    "p": "python",
    "n": "no-cache",
    "b": "build-constraint",
}
_SAME = {
    "requirements": "requirement",
    "constraints": "constraint",
    "build-constraints": "build-constraint",
    "pypi-url": "index-url",
    "default-index": "index-url",
    "index": "extra-index-url",
    "reinstall": "force-reinstall",
    "no-dependencies": "no-deps",
    "config-setting": "config-settings",
}
_VALUED_NAMES = """
    abi allow-insecure-host build-constraint cache-dir cert client-cert color config-file config-settings
    config-settings-package constraint dest directory editable exclude-newer exclude-newer-package excludes
    exists-action extra extra-index-url find-links fork-strategy global-option group hash implementation
    index-strategy index-url install-option keyring-provider link-mode log no-binary no-build-isolation-package
    no-build-package no-editable-package no-sources-package only-binary output-format overrides platform prefix
    prerelease prerelease-package progress-bar project proxy python python-platform python-version
    refresh-package reinstall-package report requirement resolution resume-retries retries root
    root-user-action src target timeout torch-backend trusted-host uploaded-prior-to upgrade-group
    upgrade-package upgrade-strategy use-deprecated use-feature
"""
_FLAG_NAMES = """
    all-extras break-system-packages check-build-dependencies compile compile-bytecode debug
    disable-pip-version-check
    dry-run exact force-reinstall help ignore-installed ignore-requires-python isolated native-tls no-build
    no-build-isolation no-cache no-cache-dir no-clean no-color no-compile no-config no-deps no-index no-input
    no-progress no-python-version-warning no-user no-verify-hashes no-warn-conflicts no-warn-script-location
    offline pre prefer-binary quiet refresh require-hashes require-virtualenv strict system system-certs
    upgrade use-pep517 user verbose version yes
"""
_VALUED = frozenset(_VALUED_NAMES.split())
_FLAGS = frozenset(_FLAG_NAMES.split())


@dataclass(frozen=True, slots=True)
class ReadOptions:
    """The parsed arguments of a program: options by their long names, in order, and the operands."""

    options: tuple[tuple[str, str], ...]
    operands: tuple[str, ...]

    def last(self, name: str) -> str:
        """The last value given for an option; empty if it is absent."""
        return next((value for key, value in reversed(self.options) if key == name), "")

    def all(self, name: str) -> tuple[str, ...]:
        """Every value of an option that may be given more than once."""
        return tuple(value for key, value in self.options if key == name)

    def has(self, name: str) -> bool:
        """Tell whether an option was given."""
        return any(key == name for key, _ in self.options)


def read_options(words: Sequence[str]) -> ReadOptions:
    """Separate options from operands: `-Uq`, `-rFILE`, `--index-url=URL`, `--no-cache-di`, and `--` before operands."""
    options: list[tuple[str, str]] = []
    operands: list[str] = []
    queue = list(words)
    while queue:
        word = queue.pop(0)
        if word == "--":
            operands += queue
            break
        if word.startswith("--"):
            name, equals, value = word[2:].partition("=")
            name = _complete(name)
            if not equals and name in _VALUED and queue:
                value = queue.pop(0)
            options.append((name, value))
        elif word.startswith("-") and len(word) > 1:
            _read_cluster(word[1:], queue, options)
        else:
            operands.append(word)
    return ReadOptions(tuple(options), tuple(operands))


def _read_cluster(letters: str, queue: list[str], options: list[tuple[str, str]]) -> None:
    for at, letter in enumerate(letters):
        name = _SHORT.get(letter, letter)
        if name in _VALUED:
            value = letters[at + 1 :].removeprefix("=")
            if not value and queue:
                value = queue.pop(0)
            options.append((name, value))
            return
        options.append((name, ""))


def _complete(name: str) -> str:
    """Return the option's full name: pip lets users cut it short where that is unambiguous."""
    name = _SAME.get(name, name)
    if name in _VALUED or name in _FLAGS or len(name) < 3:
        return name
    candidates = {_SAME.get(each, each) for each in (*_VALUED, *_FLAGS, *_SAME) if each.startswith(name)}
    return candidates.pop() if len(candidates) == 1 else name

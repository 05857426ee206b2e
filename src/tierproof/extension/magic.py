"""`%tierproof WORD …`: the words of the command line, carried out in the calling process."""

from __future__ import annotations

import argparse
import contextlib
import importlib
import shlex
from collections.abc import Callable, Sequence
from typing import Any, NoReturn

from tierproof.api.packages.install_options import (
    ALLOW_BUILD,
    INSTALL_OPTIONS,
    InstallOption,
    read_keywords,
    read_requirements,
)
from tierproof.core.plain_text import clean_text
from tierproof.errors import TierproofError, UsageError
from tierproof.extension.stopped import render
from tierproof.extension.watch import Watch
from tierproof.guard.operations.collect_garbage import collect_garbage
from tierproof.guard.operations.history_listing import list_additions

_HELP = "%tierproof install|plan|uninstall|list|history|rollback|doctor|heal|recover|save|gc|check|watch …"


class TierproofMagic:
    """The line magic.

    Args:
        watch: what `%tierproof watch` sets.
    """

    def __init__(self, watch: Watch) -> None:
        self._watch = watch
        self._words: dict[str, Callable[[Sequence[str]], object]] = {
            "install": _install,
            "plan": _plan,
            "uninstall": _uninstall,
            "list": lambda words: _without_words("list", words, list_additions),
            "history": lambda words: _without_words("history", words, lambda: _call("history")),
            "rollback": _rollback,
            "doctor": lambda words: _without_words("doctor", words, lambda: _call("doctor")),
            "heal": lambda words: _without_words("heal", words, lambda: _call("heal")),
            "recover": _recover,
            "save": _save,
            "gc": _collect_garbage,
            "check": _check,
            "watch": self._set_watch,
        }

    def run(self, line: str) -> object:
        """Carry out one line; what comes back is shown by the notebook.

        Raises:
            TierproofError: as the function of the same name does; shown as one message, without a traceback.
        """
        try:
            return self._dispatch(line)
        except TierproofError as error:
            told = render(error)
            error._render_traceback_ = lambda: told  # type: ignore[attr-defined]
            raise

    def _dispatch(self, line: str) -> object:
        try:
            words = shlex.split(line, comments=True)
        except ValueError as error:
            raise UsageError(f"cannot read {line!r}: {error}", hint=_HELP) from error
        if not words or words[0] in ("help", "-h", "--help"):
            print(_HELP)  # noqa: T201 - asked for
            return None
        if words[0] not in self._words:
            raise UsageError(f"%tierproof has no command {words[0]!r}", hint=_HELP)
        return self._words[words[0]](words[1:])

    def _set_watch(self, words: Sequence[str]) -> None:
        parser = _Parser("watch")
        parser.add_argument("--allow-next", action="store_true")
        parser.add_argument("--off", action="store_true")
        parser.add_argument("--on", action="store_true")
        parser.add_argument("--limit", type=_read_seconds, metavar="S")
        options = parser.parse_args(list(words))
        if options.limit is not None:
            self._watch.limit_s = options.limit
        if options.on or options.off:
            self._watch.enabled = options.on
        if options.allow_next:
            self._watch.allow_cells()
        state = "on" if self._watch.enabled else "off"
        limit = f"it takes up to {self._watch.limit_s:g} s to predict what an install changes"
        more = ". Installs in the next cell are not stopped" if self._watch.allow_next else ""
        print(f"tierproof: the watch over install commands is {state}; {limit}{more}.")  # noqa: T201 - the answer


class _Parser(argparse.ArgumentParser):
    """Reads the words behind one word; a mistake is a UsageError, never an exit."""

    def __init__(self, word: str) -> None:
        super().__init__(prog=f"%tierproof {word}", add_help=False, allow_abbrev=False)

    def add_requirements(self, options: Sequence[InstallOption]) -> None:
        """Take requirements, requirements files and `options`."""
        self.add_argument("requirements", nargs="*", metavar="REQ")
        self.add_argument("-r", "--requirement", dest="files", action="append", default=[], metavar="FILE")
        for option in options:
            if option.takes:
                self.add_argument(
                    option.flag, dest=option.keyword, action="append", default=[], metavar=option.takes
                )
            else:
                self.add_argument(option.flag, dest=option.keyword, action="store_true")

    def error(self, message: str) -> NoReturn:
        raise UsageError(message, hint=self.format_usage().strip())


def _install(words: Sequence[str]) -> object:
    parser = _Parser("install")
    parser.add_requirements(INSTALL_OPTIONS)
    parser.add_argument("--extra", dest="extras", action="append", default=[], metavar="EXTRA")
    options = parser.parse_intermixed_args(list(words))
    return _call("install", *_gather(options), **read_keywords(vars(options)), on_step=_show_step)


def _plan(words: Sequence[str]) -> object:
    parser = _Parser("plan")
    parser.add_requirements((ALLOW_BUILD,))
    options = parser.parse_intermixed_args(list(words))
    return _call("plan", *_gather(options), allow_build=tuple(options.allow_build))


def _rollback(words: Sequence[str]) -> object:
    parser = _Parser("rollback")
    parser.add_argument("number", nargs="?", type=int, metavar="N")
    options = parser.parse_args(list(words))
    return _call("rollback", *([] if options.number is None else [options.number]))


def _recover(words: Sequence[str]) -> object:
    parser = _Parser("recover")
    parser.add_argument("folder", nargs="?", metavar="DIR")
    parser.add_argument("--lock", metavar="FILE")
    parser.add_argument("--trust", action="store_true")
    options = parser.parse_intermixed_args(list(words))
    return _call("recover", options.folder, lock=options.lock, trust=options.trust, on_step=_show_step)


def _check(words: Sequence[str]) -> object:
    parser = _Parser("check")
    parser.add_argument("target", metavar="TARGET")
    return _call("check", parser.parse_args(list(words)).target)


def _uninstall(words: Sequence[str]) -> object:
    parser = _Parser("uninstall")
    parser.add_argument("names", nargs="+", metavar="PKG")
    return _call("uninstall", *parser.parse_args(list(words)).names)


def _save(words: Sequence[str]) -> object:
    parser = _Parser("save")
    parser.add_argument("folder", metavar="DIR")
    return _call("save", parser.parse_args(list(words)).folder)


def _collect_garbage(words: Sequence[str]) -> object:
    parser = _Parser("gc")
    parser.add_argument("--keep", type=int, default=1, metavar="N")
    return collect_garbage(keep=parser.parse_args(list(words)).keep)


def _without_words(word: str, words: Sequence[str], act: Callable[[], object]) -> object:
    _Parser(word).parse_args(list(words))
    return act()


def _gather(options: argparse.Namespace) -> tuple[str, ...]:
    found = read_requirements(options.requirements, options.files, getattr(options, "extras", ()))
    if not found:
        raise UsageError(
            "no requirement was given", hint="Name at least one: %tierproof install captum 'optuna>=4'"
        )
    return found


def _show_step(step: str) -> None:
    print(clean_text(f"{step} …"), flush=True)  # noqa: T201 - a person waits


def _read_seconds(text: str) -> float:
    with contextlib.suppress(ValueError):
        seconds = float(text)
        if 0 < seconds < 3600:
            return seconds
    raise argparse.ArgumentTypeError(f"{text!r} is not a number of seconds between 0 and 3600")


def _call(function: str, *arguments: Any, **options: Any) -> object:
    """Call `tierproof.FUNCTION`, imported now: the magic itself must load while packages are broken."""
    return getattr(importlib.import_module("tierproof"), function)(*arguments, **options)

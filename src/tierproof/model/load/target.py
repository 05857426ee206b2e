"""Parse a TARGET string into what it names, without touching files, the network or torch."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TypeAlias

from tierproof.errors import TierproofError, UsageError

FORMS = (
    "A target is PATH.py[:NAME], DIR/ with a model.py, package.module:NAME, hf:DIR_OR_ID "
    "or gist:ID[@REVISION]."
)

_DOTTED_NAME = re.compile(r"[^\W\d]\w*(\.[^\W\d]\w*)*\Z")
_GIST = re.compile(r"(?P<id>[0-9A-Za-z]+)(@(?P<revision>[0-9A-Za-z]+))?\Z")


class TargetError(TierproofError):
    """The target does not lead to exactly one module."""

    slug = "target"


class UntrustedCodeError(TargetError):
    """Loading the target would run code that the user has not trusted."""

    slug = "untrusted-code"


@dataclass(frozen=True, slots=True)
class PathTarget:
    """`PATH.py[:NAME]`: a function, class or module in a file; an empty `name` means that `choose_entry` picks one."""

    path: str
    name: str = ""

    def __str__(self) -> str:
        return f"{self.path}:{self.name}" if self.name else self.path


@dataclass(frozen=True, slots=True)
class FolderTarget:
    """`DIR/`: a folder with `model.py` and perhaps `config.json`."""

    path: str

    def __str__(self) -> str:
        return self.path


@dataclass(frozen=True, slots=True)
class ImportTarget:
    """`package.module:NAME`: something that can be imported."""

    module: str
    name: str

    def __str__(self) -> str:
        return f"{self.module}:{self.name}"


@dataclass(frozen=True, slots=True)
class HubTarget:
    """`hf:DIR_OR_ID`: a transformers folder, or the id of one on a hub."""

    directory_or_id: str

    def __str__(self) -> str:
        return f"hf:{self.directory_or_id}"


@dataclass(frozen=True, slots=True)
class GistTarget:
    """`gist:ID[@REVISION]`: a gist that holds a model.py; `revision` is empty when unpinned."""

    gist_id: str
    revision: str = ""

    def __str__(self) -> str:
        return f"gist:{self.gist_id}@{self.revision}" if self.revision else f"gist:{self.gist_id}"


Target: TypeAlias = PathTarget | FolderTarget | ImportTarget | HubTarget | GistTarget


def parse_target(text: str) -> Target:
    """Parse a target string into its form; whether the target exists shows only when it is loaded.

    Raises:
        TargetError: when `text` has none of the forms.
    """
    if not text.strip() or "\0" in text:
        raise TargetError(f"{text!r} is not a valid target", hint=FORMS)
    if text.startswith("hf:"):
        return _parse_hub(text)
    if text.startswith("gist:"):
        return _parse_gist(text)
    if text.endswith(".py"):
        return PathTarget(text)
    head, colon, name = text.rpartition(":")
    if colon and head.endswith(".py"):
        return PathTarget(head, _require_name(text, name))
    if colon and not text.endswith("/"):
        if not _DOTTED_NAME.match(head):
            raise TargetError(
                f"{text!r} is not a valid target: {head!r} is neither a .py file nor a module name",
                hint=FORMS,
            )
        return ImportTarget(head, _require_name(text, name))
    return FolderTarget(text)


def parse_inputs(text: str) -> PathTarget:
    """Parse `FILE.py:NAME`.

    Raises:
        UsageError: when it is something else.
    """
    try:
        target = parse_target(text)
    except TargetError:
        target = None
    if not isinstance(target, PathTarget) or not target.name:
        raise UsageError(
            f"`--inputs` must be FILE.py:NAME, not {text!r}",
            hint="Let NAME be a tensor, a tuple, a dict, or a function that returns one of them.",
        )
    return target


def _parse_hub(text: str) -> HubTarget:
    directory_or_id = text.removeprefix("hf:")
    if not directory_or_id.strip():
        raise TargetError(
            "hf: names neither a folder nor a model id", hint="Write hf:DIR_OR_ID, for instance hf:gpt2."
        )
    return HubTarget(directory_or_id)


def _parse_gist(text: str) -> GistTarget:
    match = _GIST.match(text.removeprefix("gist:"))
    if match is None:
        raise TargetError(
            f"{text!r} is not a valid gist target",
            hint="Write gist:ID or gist:ID@REVISION, with only letters and digits in ID and REVISION.",
        )
    return GistTarget(match["id"], match["revision"] or "")


def _require_name(text: str, name: str) -> str:
    if not _DOTTED_NAME.match(name):
        raise TargetError(f"{text!r} is not a valid target: {name!r} is not a valid Python name", hint=FORMS)
    return name

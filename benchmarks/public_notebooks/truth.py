"""What pip itself does with a notebook's commands on the image, worked out in a ghost of it without our code.

Two ghosts are followed from command to command. In the *free* one pip does as it does on the image: what it replaces
there is replaced. In the *held* one every installed version is a constraint: pip's resolver finds an answer there
exactly if packages can be added without replacing any.
"""

from __future__ import annotations

import json
import re
import shlex
import subprocess
from collections.abc import Collection, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from packaging.requirements import InvalidRequirement, Requirement
from packaging.utils import canonicalize_name

from public_notebooks.ghost import Ghost
from public_notebooks.notebook import Notebook

CLASSES = ("satisfied", "additive", "replaces", "infeasible", "unknown")
_LIMIT_S = 180.0
OUT_OF_TIME = "pip took longer than"
_VALUED = {"-f", "--find-links", "--index-url", "-i", "--extra-index-url"}
_REMOTE = re.compile(r"(\S+@)?(git\+|https?://)")


@dataclass
class Truth:
    """What is true of one notebook.

    Attributes:
        headline: one of `CLASSES`.
        replaced: of the image in the end, version by name; empty for what is removed.
        gaps: what pip alone does not tell, with the reason: a repository, a build, an index out of reach.
        commands: each with its class, what pip replaced and what it said where it refused.
    """

    headline: str = "satisfied"
    replaced: dict[str, str] = field(default_factory=dict)
    gaps: list[str] = field(default_factory=list)
    commands: list[dict[str, Any]] = field(default_factory=list)

    def to_dict(self) -> dict[str, Any]:
        """Give it as JSON."""
        return asdict(self)


@dataclass(frozen=True)
class PipRun:
    """One resolution: what it chose, or why it failed."""

    chosen: tuple[dict[str, Any], ...] | None
    said: str = ""

    @property
    def refused(self) -> bool:
        """Whether pip's resolver proved that there is no answer."""
        return self.chosen is None and bool(
            re.search(r"No matching distribution|ResolutionImpossible|conflicting dependencies", self.said)
        )


@dataclass(frozen=True)
class Split:
    """The words of a `pip install`: what pip can resolve here, and what it cannot."""

    options: tuple[str, ...]
    requirements: tuple[str, ...]
    gaps: tuple[str, ...]


def work_out(notebook: Notebook, image: Ghost, folder: Path, loaded: Collection[str]) -> Truth:
    """Follow the commands of a notebook.

    Args:
        notebook: with its commands.
        image: the ghost of the image; it is not changed.
        folder: for the ghosts that change.
        loaded: names of the packages that count as loaded: to remove another one is harmless.
    """
    truth = Truth()
    before = image.read_versions()
    if any(command.startswith("pip") for command in notebook.commands):
        free, held = image.copy(folder / "free"), image.copy(folder / "held")
        for command in notebook.commands:
            _follow(command, free, held, truth, folder, loaded)
        after = free.read_versions()
        truth.replaced = {
            name: after.get(name, "") for name, version in before.items() if after.get(name) != version
        }
    else:
        truth.gaps = [command.removeprefix("? ") for command in notebook.commands]
    classes = [each["class"] for each in truth.commands]
    truth.headline = "unknown" if truth.gaps else max(classes, key=CLASSES.index, default="satisfied")
    return truth


def _follow(
    command: str, free: Ghost, held: Ghost, truth: Truth, folder: Path, loaded: Collection[str]
) -> None:
    if not command.startswith("pip"):
        truth.gaps.append(command.removeprefix("? "))
        return
    words = shlex.split(command)[1:]
    if words[0] == "uninstall":
        names = [str(canonicalize_name(word)) for word in words[1:] if not word.startswith("-")]
        gone = {name: "" for name in names if name in free.read_versions()}
        for name in names:
            free.remove(name)
        harmful = bool(gone.keys() & set(loaded))
        truth.commands.append(
            {"command": command, "class": "replaces" if harmful else "satisfied", "replaced": gone}
        )
        return
    split = split_words(words[1:])
    truth.gaps += split.gaps
    if not split.requirements:
        return
    arguments = (*split.options, *split.requirements)
    run = run_pip(free, arguments, folder)
    if run.chosen is None:
        found = "infeasible" if run.refused else "unknown"
        truth.commands.append({"command": command, "class": found, "replaced": {}, "said": run.said[-400:]})
        if not run.refused:
            truth.gaps.append(f"pip ended otherwise: {run.said[-200:]}")
        return
    built = sorted(f"{each['name']} {each['version']}" for each in run.chosen if each["built"])
    truth.gaps += [f"pip builds {each}" for each in built]
    present = free.read_versions()
    replaced = {
        name: each["version"]
        for each in run.chosen
        if (name := str(canonicalize_name(each["name"]))) in present and present[name] != each["version"]
    }
    if not replaced and free.read_versions() == held.read_versions():  # what nothing stands in the way of
        found = "additive" if run.chosen else "satisfied"
        _apply(held, run)
    else:
        found = _judge_held(split, replaced, held, folder)
    _apply(free, run)
    truth.commands.append({"command": command, "class": found, "replaced": replaced})


def _judge_held(split: Split, replaced: dict[str, str], held: Ghost, folder: Path) -> str:
    """The class of a command: what pip finds with every installed version held, from wheels alone.

    An answer that needs a build is not known to be one.
    """
    asked = {_read_name(each) for each in split.requirements}
    upgrades = {"-U", "--upgrade"} & set(split.options)
    if upgrades and asked & replaced.keys():
        return "replaces"
    installed = held.read_versions()
    constraints = folder / "held.txt"
    constraints.write_text(
        "".join(f"{name}=={version}\n" for name, version in installed.items() if version != "0")
    )
    options = [word for word in split.options if word not in ("-U", "--upgrade")]
    kept = run_pip(
        held, ("-c", str(constraints), "--only-binary=:all:", *options, *split.requirements), folder
    )
    if kept.chosen is None:
        return "replaces"
    _apply(held, kept)
    return "additive" if kept.chosen else "satisfied"


def _apply(ghost: Ghost, run: PipRun) -> None:
    for each in run.chosen or ():
        ghost.put(each["name"], each["version"], each["metadata"])


def run_pip(ghost: Ghost, arguments: Sequence[str], folder: Path) -> PipRun:
    """Resolve with the ghost's pip."""
    report = folder / "report.json"
    try:
        ended = ghost.dry_run(("install", *arguments), report, _LIMIT_S)
    except subprocess.TimeoutExpired:
        return PipRun(None, f"{OUT_OF_TIME} {_LIMIT_S:.0f} s")
    if ended.returncode == 0:
        return PipRun(tuple(json.loads(report.read_text())) if report.exists() else ())
    return PipRun(None, ended.stderr.strip())


def split_words(words: Sequence[str]) -> Split:
    """Part the words of a command; places other than PyPI cannot be reached by the truth."""
    options, requirements, gaps = [], [], []
    rest = iter(words)
    for word in rest:
        if word in _VALUED:
            gaps.append(f"the index {next(rest)}")
        elif word.startswith("-"):
            options.append(word)
        elif _REMOTE.match(word):
            gaps.append(f"the repository {word}")
        else:
            requirements.append(word)
    return Split(tuple(options), tuple(requirements), tuple(gaps))


def _read_name(text: str) -> str:
    try:
        return str(canonicalize_name(Requirement(text).name))
    except InvalidRequirement:
        return text

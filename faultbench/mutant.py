"""A mutant: one small, readable patch of a host's source."""

from __future__ import annotations

import difflib
import importlib
import sys
import types
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from torch import nn

_HOSTS = Path(__file__).resolve().parent / "hosts"


@dataclass(frozen=True)
class Mutant:
    """One planted bug.

    Attributes:
        name: unique among all mutants.
        host: the file in `hosts/` that is patched.
        old, new: the lines that are replaced; `old` occurs exactly once in the host.
        where: patterns of the module paths that hold the changed lines (a `*` stands for every instance of a
            class that is used several times); the empty path is the model's own forward.
        realism: how the bug comes about in practice.
        reference: the pull request, issue or paper it was seen in; empty where it is a common slip.
        kind: the class of the fault; set by `load_mutants` from the file it stands in.
        equivalent: the patch changes nothing: a control that must raise no alarm.
    """

    name: str
    host: str
    old: str
    new: str
    where: tuple[str, ...]
    realism: str
    reference: str = ""
    kind: str = ""
    equivalent: bool = False

    def read_source(self) -> str:
        """The host's source with the patch in it.

        Raises:
            ValueError: `old` does not occur exactly once.
        """
        source = read_host(self.host)
        if source.count(self.old) != 1:
            raise ValueError(
                f"{self.name}: its old text occurs {source.count(self.old)} times in {self.host}"
            )
        return source.replace(self.old, self.new)

    def build(self) -> nn.Module:
        """The model with the bug, freshly initialised from torch's present random state."""
        return load_builder(self.read_source(), f"faultbench.planted_{self.name}")()

    def describe(self) -> str:
        """The patch as a unified diff without its header."""
        lines = difflib.unified_diff(
            read_host(self.host).splitlines(), self.read_source().splitlines(), lineterm="", n=1
        )
        return "\n".join(list(lines)[2:])


def read_host(name: str) -> str:
    """The source of a host."""
    return (_HOSTS / f"{name}.py").read_text(encoding="utf-8")


def build_host(name: str) -> nn.Module:
    """The sound model, freshly initialised from torch's present random state."""
    build: Callable[[], nn.Module] = importlib.import_module(f"faultbench.hosts.{name}").build
    return build()


def load_builder(source: str, module_name: str) -> Callable[[], nn.Module]:
    """Execute `source` as a module of its own and give its `build`."""
    module = types.ModuleType(module_name)
    sys.modules[module_name] = module
    exec(compile(source, f"<{module_name}>", "exec"), module.__dict__)
    build: Callable[[], nn.Module] = module.build
    return build

"""Load `DIR/`: a model.py, and optionally a config.json with the arguments to build it with."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from torch import nn

from tierproof.model.load.build_module import (
    build_module,
    describe_default_arguments,
    find_default_arguments,
    parameters_of,
)
from tierproof.model.load.choose_entry import choose_entry, describe_choice
from tierproof.model.load.config_arguments import bind_config
from tierproof.model.load.import_scope import ImportScope
from tierproof.model.load.load_source import load_file
from tierproof.model.load.model_config import read_config
from tierproof.model.load.target import TargetError


@dataclass(frozen=True)
class FolderModule:
    """The module of a folder, the scope of its imports, what was assumed, and the name of its source file."""

    module: nn.Module
    scope: ImportScope
    assumptions: tuple[str, ...] = ()
    source: str = "model.py"


def load_folder(folder: Path) -> FolderModule:
    """Build the module that the folder's model.py defines, with the arguments from its config.json.

    Raises:
        TargetError: when the folder or its model.py is absent, or they do not build a module.
    """
    source, config_path = folder / "model.py", folder / "config.json"
    _refuse_other_folders(folder)
    config = read_config(config_path) if config_path.is_file() else None
    namespace, scope = load_file(source)
    with scope:
        entry = choose_entry(namespace, "", str(source))
        assumptions = describe_choice(namespace, "", entry)
        name = getattr(entry, "__name__", type(entry).__name__)
        shown = f"{source}:{name}"
        arguments: Mapping[str, Any] | None = None
        if config is not None and (isinstance(entry, nn.Module) or not parameters_of(entry)):
            assumptions += (f"{config_path.name} was ignored: {name} takes no arguments",)
        elif config is not None:
            arguments = bind_config(
                entry, config, entry_shown=name, shown=str(config_path), folder=source.parent.resolve()
            )
        elif (arguments := find_default_arguments(entry, namespace)) is not None:
            assumptions += (describe_default_arguments(entry, arguments),)
        module = build_module(entry, shown=shown, folder=source.parent.resolve(), arguments=arguments)
    return FolderModule(module, scope, assumptions)


def _refuse_other_folders(folder: Path) -> None:
    if (folder / "model.py").is_file():
        return
    if not folder.exists():
        hint = "Check the spelling and the current folder."
        if "/" not in str(folder) and "." in str(folder):
            hint = f"For a Python module write {folder}:NAME; for a file, a path that ends in .py."
        raise TargetError(f"there is no folder {folder}", hint=hint)
    if not folder.is_dir():
        raise TargetError(
            f"{folder} is neither a folder nor a .py file",
            hint="Pass a .py file, or a folder with a model.py.",
        )
    if (folder / "config.json").is_file():
        raise TargetError(
            f"{folder} has a config.json but no model.py",
            hint=f"For a transformers config write hf:{folder}; otherwise add a model.py.",
        )
    sources = sorted(path.name for path in folder.glob("*.py"))
    found = f" (it has {', '.join(sources[:5])})" if sources else ""
    raise TargetError(
        f"{folder} has no model.py{found}",
        hint=(
            f"Name the file that defines the model, {folder / 'FILE.py'}, or a class or function in it, "
            f"{folder / 'FILE.py'}:NAME."
        ),
    )

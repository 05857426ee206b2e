"""Load classes from the code that comes with a transformers model, once the user trusts it."""

from __future__ import annotations

import importlib
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

from tierproof.model.load.import_scope import ImportScope
from tierproof.model.load.load_source import compile_file
from tierproof.model.load.target import TargetError
from tierproof.model.load.user_error import explain_user_error

_PACKAGE = "_tierproof_remote_code"


def split_reference(reference: str, shown: str) -> tuple[str, str]:
    """Split `module.Class` of an `auto_map`.

    Raises:
        TargetError: when it has another form, or names another repository.
    """
    module, _, name = reference.partition(".")
    if "--" in reference:
        raise TargetError(
            f"{shown}: auto_map names {reference!r}, which is code of another repository",
            hint="Download that code into the folder, and name it in auto_map as module.Class.",
        )
    if not module.isidentifier() or not name.isidentifier():
        raise TargetError(
            f"{shown}: auto_map names {reference!r}, which is not of the form module.Class",
            hint="Correct that entry of auto_map.",
        )
    return module, name


def load_remote_class(reference: str, config_path: Path, scope: ImportScope) -> Any:
    """Import the class that `reference` names from the folder of `config_path`.

    The folder is imported as a package of its own, so that its files may import each other relatively.

    Raises:
        TargetError: when the code is absent, raises, or lacks the class.
    """
    module_name, class_name = split_reference(reference, str(config_path))
    folder = config_path.parent.resolve()
    source = folder / f"{module_name}.py"
    compile_file(source)
    if _PACKAGE not in sys.modules:
        package = ModuleType(_PACKAGE)
        package.__path__ = [str(folder)]
        scope.register(package)
    try:
        module = importlib.import_module(f"{_PACKAGE}.{module_name}")
    except (Exception, SystemExit) as error:
        raise explain_user_error(error, folder, f"loading {source.name}") from error
    if not hasattr(module, class_name):
        raise TargetError(
            f"{source} does not define {class_name}, which auto_map names",
            hint="Correct that entry of auto_map.",
        )
    return getattr(module, class_name)

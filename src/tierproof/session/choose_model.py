"""Load what the form chose: from a target, an upload or a variable of the notebook."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tierproof._optional import require
from tierproof.core.atomic_write import write_bytes_atomically
from tierproof.errors import OutputError, UsageError
from tierproof.model.load.target import TargetError
from tierproof.session.colab import upload_files
from tierproof.session.model_choice import ModelChoice, Source

if TYPE_CHECKING:
    from tierproof.model.load.load import LoadedModel


@dataclass(frozen=True)
class ChosenModel:
    """A loaded model, and the choice that leads to it again."""

    choice: ModelChoice
    loaded: LoadedModel


def load_choice(choice: ModelChoice, uploads: Path) -> ChosenModel:
    """Load the model.

    Args:
        choice: of the form; an upload asks for the files where it has no target yet.
        uploads: folder that keeps uploaded files.

    Raises:
        TierproofError: it cannot be loaded; the message says what to do.
    """
    require("torch", feature="to check a model")
    from tierproof.model.load.load import LoadedModel, LoadOptions, load_target

    if choice.source is Source.VARIABLE:
        return ChosenModel(choice, LoadedModel(find_variable(choice.value), choice.value))
    if choice.source is Source.UPLOAD and not choice.target:
        choice = replace(choice, target=_keep_upload(upload_files(), uploads))
    return ChosenModel(choice, load_target(choice.target, LoadOptions(trust=choice.trust)))


def find_variable(name: str) -> Any:
    """Give the module that a variable of the notebook holds.

    Raises:
        UsageError: there is no such variable, or it holds no nn.Module.
    """
    from torch import nn

    variables = user_variables()
    if name not in variables:
        known = [key for key, value in variables.items() if isinstance(value, nn.Module)]
        hint = f"These hold a model: {', '.join(known)}." if known else "No variable holds a model yet."
        raise UsageError(f"this notebook has no variable {name!r}", hint=hint)
    found = variables[name]
    if not isinstance(found, nn.Module):
        raise UsageError(
            f"{name} is a {type(found).__name__}, not an nn.Module",
            hint="Enter the name of a variable that is the model itself.",
        )
    return found


def user_variables() -> dict[str, Any]:
    """The notebook's variables, without what IPython put there."""
    module = sys.modules.get("IPython")
    shell = module.get_ipython() if module is not None else None
    if shell is None:
        return {}
    hidden = getattr(shell, "user_ns_hidden", {})
    return {
        name: value
        for name, value in shell.user_ns.items()
        if not name.startswith("_") and name not in hidden and not isinstance(value, type(sys))
    }


def _keep_upload(files: Mapping[str, bytes], folder: Path) -> str:
    """Write the files; give the target that they make."""
    names = {Path(name).name: content for name, content in files.items()}
    sources = [name for name in names if name.endswith(".py")]
    if not sources:
        raise TargetError(
            f"none of the uploaded files is Python: {', '.join(names) or 'nothing was uploaded'}",
            hint="Upload the .py file that defines the model.",
        )
    if len(sources) > 1 and "model.py" not in sources:
        raise TargetError(
            f"several Python files were uploaded, and none is named model.py: {', '.join(sources)}",
            hint="Rename the file that defines the model to model.py, or upload only that file.",
        )
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise OutputError(
            f"cannot create the folder {folder} for the uploaded files: {error.strerror or error}",
            hint="Change to a folder that you may write to: `%cd /tmp`, for example.",
        ) from error
    for name, content in names.items():
        write_bytes_atomically(folder / name, content)
    return str(folder / ("model.py" if len(sources) > 1 else sources[0]))

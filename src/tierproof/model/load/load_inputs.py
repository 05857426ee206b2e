"""Load `--inputs FILE.py:NAME`: the sample inputs that the user gave for the model."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from torch import nn

from tierproof.model.load.build_module import required_arguments
from tierproof.model.load.choose_entry import choose_entry
from tierproof.model.load.import_scope import ImportScope
from tierproof.model.load.input_error import InputError
from tierproof.model.load.load_source import load_file
from tierproof.model.load.seeding import seeded
from tierproof.model.load.target import parse_inputs
from tierproof.model.load.user_error import explain_user_error


def load_inputs(text: str, *, seed: int = 0) -> tuple[Any, ImportScope]:
    """Return the inputs that `FILE.py:NAME` names (a function is called) and the scope of the file's imports.

    Raises:
        UsageError: when `text` is not FILE.py:NAME.
        TargetError: when the file does not load.
        InputError: when the function needs arguments or raises.
    """
    target = parse_inputs(text)
    path = Path(target.path)
    with seeded(seed):
        namespace, scope = load_file(path)
        with scope:
            found = choose_entry(namespace, target.name, target.path)
            if callable(found) and not isinstance(found, nn.Module):
                if required := required_arguments(found):
                    raise InputError(
                        f"{text} needs arguments: {', '.join(required)}",
                        hint="Give these arguments default values: `--inputs` calls the function without arguments.",
                    )
                try:
                    found = found()
                except (Exception, SystemExit) as error:
                    explained = explain_user_error(error, path.parent.resolve(), f"calling {text}")
                    raise InputError(explained.message, hint=explained.hint) from error
    return found, scope

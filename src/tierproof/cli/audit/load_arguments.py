"""Load `FILE.py:NAME`: a dict of the arguments of `tierproof.audit`, or a function that gives it."""

from __future__ import annotations

import inspect
from pathlib import Path
from typing import Any

from tierproof.errors import UsageError
from tierproof.model.load.choose_entry import choose_entry
from tierproof.model.load.import_scope import ImportScope
from tierproof.model.load.load_source import load_file
from tierproof.model.load.seeding import seeded
from tierproof.model.load.target import PathTarget, TargetError, parse_target
from tierproof.model.load.user_error import explain_user_error

_EXAMPLE = 'audit = {"step": step, "batches": batches}, then `tierproof audit FILE.py:audit`'


def load_arguments(text: str, seed: int) -> tuple[dict[str, Any], ImportScope]:
    """The arguments that `FILE.py:NAME` names, and the scope of the file's imports.

    Raises:
        UsageError: `text` is not FILE.py:NAME, or NAME is no dict of arguments of `tierproof.audit`.
        TargetError: the file does not load, or the function raises.
    """
    try:
        target = parse_target(text)
    except TargetError:
        target = None
    if not isinstance(target, PathTarget) or not target.name:
        raise UsageError(f"the target must be FILE.py:NAME, not {text!r}", hint=f"Write {_EXAMPLE}.")
    path = Path(target.path)
    with seeded(seed):
        namespace, scope = load_file(path)
        with scope:
            found = choose_entry(namespace, target.name, target.path)
            if callable(found):
                try:
                    found = found()
                except (Exception, SystemExit) as error:
                    explained = explain_user_error(error, path.parent.resolve(), f"calling {text}")
                    raise TargetError(explained.message, hint=explained.hint) from error
    return _require_arguments(text, found), scope


def _require_arguments(text: str, found: Any) -> dict[str, Any]:
    from tierproof.api.audit.audit import audit

    if not isinstance(found, dict):
        raise UsageError(
            f"{text} is {type(found).__name__}, not a dict of arguments of tierproof.audit",
            hint=f"Write {_EXAMPLE}.",
        )
    known = set(inspect.signature(audit).parameters) - {"progress", "target"}
    unknown = sorted(str(name) for name in found if name not in known)
    if unknown:
        raise UsageError(
            f"{text} has arguments that tierproof.audit does not take: {', '.join(unknown)}",
            hint=f"It takes {', '.join(sorted(known))}.",
        )
    return dict(found)

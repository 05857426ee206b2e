"""Check a transformer in a notebook in a minute.

`import tierproof as tp; tp.check(model)`. Nothing heavy is imported until it is needed.
"""

from __future__ import annotations

from tierproof._version import __version__

TYPE_CHECKING = False  # importing it from typing would be the most of this import
if TYPE_CHECKING:
    from tierproof.api.check import check
    from tierproof.core.report import Report
    from tierproof.errors import TierproofError
    from tierproof.model.spec import ModelSpec

__all__ = ["ModelSpec", "Report", "TierproofError", "__version__", "check"]

_HOMES = {
    "check": "tierproof.api.check",
    "ModelSpec": "tierproof.model.spec",
    "Report": "tierproof.core.report",
    "TierproofError": "tierproof.errors",
}


def __getattr__(name: str) -> object:
    if name not in _HOMES:
        raise AttributeError(f"module 'tierproof' has no attribute {name!r}")
    import importlib

    return getattr(importlib.import_module(_HOMES[name]), name)


def __dir__() -> list[str]:
    return sorted(__all__)

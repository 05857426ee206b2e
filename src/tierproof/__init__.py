"""Check a transformer in a notebook in a minute.

`import tierproof as tp; tp.check(model)`. Nothing heavy is imported until it is needed.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from tierproof._version import __version__

if TYPE_CHECKING:
    from tierproof.api.check import check
    from tierproof.api.doctor import doctor
    from tierproof.api.heal import heal
    from tierproof.api.isolated import IsolatedWorker, isolated, isolated_workers
    from tierproof.api.plan import plan
    from tierproof.core.report import Report
    from tierproof.errors import TierproofError
    from tierproof.guard.diagnosis import Diagnosis
    from tierproof.guard.healing import Healing
    from tierproof.guard.plan import Plan
    from tierproof.model.spec import ModelSpec

__all__ = [
    "Diagnosis",
    "Healing",
    "IsolatedWorker",
    "ModelSpec",
    "Plan",
    "Report",
    "TierproofError",
    "__version__",
    "check",
    "doctor",
    "heal",
    "isolated",
    "isolated_workers",
    "plan",
]

_HOMES = {
    "check": "tierproof.api.check",
    "doctor": "tierproof.api.doctor",
    "heal": "tierproof.api.heal",
    "isolated": "tierproof.api.isolated",
    "isolated_workers": "tierproof.api.isolated",
    "plan": "tierproof.api.plan",
    "Diagnosis": "tierproof.guard.diagnosis",
    "Healing": "tierproof.guard.healing",
    "IsolatedWorker": "tierproof.api.isolated",
    "ModelSpec": "tierproof.model.spec",
    "Plan": "tierproof.guard.plan",
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

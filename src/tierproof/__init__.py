"""Check a transformer in a notebook in a minute.

`import tierproof as tp; tp.check(model)`. Nothing heavy is imported until it is needed.
"""

from __future__ import annotations

from tierproof._version import __version__

TYPE_CHECKING = False  # importing it from typing would be the most of this import
if TYPE_CHECKING:
    from tierproof.api.check import check
    from tierproof.api.doctor import doctor
    from tierproof.api.heal import heal
    from tierproof.api.history import history
    from tierproof.api.install import install
    from tierproof.api.isolated import IsolatedWorker, isolated, isolated_workers
    from tierproof.api.notebook.open_notebook import open_notebook, recover_notebook
    from tierproof.api.plan import plan
    from tierproof.api.preflight import preflight
    from tierproof.api.recover import recover
    from tierproof.api.rollback import rollback
    from tierproof.api.save import save
    from tierproof.api.snapshot import snapshot
    from tierproof.api.uninstall import uninstall
    from tierproof.core.report import Report
    from tierproof.errors import (
        PlanRefused,
        TierproofError,
        WorkerDiedError,
        WorkerError,
        WorkerTimeoutError,
    )
    from tierproof.guard.diagnosis import Diagnosis
    from tierproof.guard.healing import Healing
    from tierproof.guard.plan import Plan
    from tierproof.guard.receipt import Receipt
    from tierproof.guard.snapshot import Snapshot
    from tierproof.images.preflight_result import Preflight
    from tierproof.model.spec import ModelSpec

__all__ = [
    "Diagnosis",
    "Healing",
    "IsolatedWorker",
    "ModelSpec",
    "Plan",
    "PlanRefused",
    "Preflight",
    "Receipt",
    "Report",
    "Snapshot",
    "TierproofError",
    "WorkerDiedError",
    "WorkerError",
    "WorkerTimeoutError",
    "__version__",
    "check",
    "doctor",
    "heal",
    "history",
    "install",
    "isolated",
    "isolated_workers",
    "open_notebook",
    "plan",
    "preflight",
    "recover",
    "recover_notebook",
    "rollback",
    "save",
    "snapshot",
    "uninstall",
]

_HOMES = {
    "check": "tierproof.api.check",
    "doctor": "tierproof.api.doctor",
    "heal": "tierproof.api.heal",
    "isolated": "tierproof.api.isolated",
    "isolated_workers": "tierproof.api.isolated",
    "open_notebook": "tierproof.api.notebook.open_notebook",
    "recover_notebook": "tierproof.api.notebook.open_notebook",
    "plan": "tierproof.api.plan",
    "preflight": "tierproof.api.preflight",
    "history": "tierproof.api.history",
    "install": "tierproof.api.install",
    "recover": "tierproof.api.recover",
    "rollback": "tierproof.api.rollback",
    "save": "tierproof.api.save",
    "uninstall": "tierproof.api.uninstall",
    "snapshot": "tierproof.api.snapshot",
    "Diagnosis": "tierproof.guard.diagnosis",
    "Healing": "tierproof.guard.healing",
    "IsolatedWorker": "tierproof.api.isolated",
    "ModelSpec": "tierproof.model.spec",
    "Plan": "tierproof.guard.plan",
    "PlanRefused": "tierproof.errors",
    "Preflight": "tierproof.images.preflight_result",
    "Receipt": "tierproof.guard.receipt",
    "Snapshot": "tierproof.guard.snapshot",
    "Report": "tierproof.core.report",
    "TierproofError": "tierproof.errors",
    # What `%load_ext tierproof` and `%unload_ext tierproof` look for.
    "load_ipython_extension": "tierproof.watch.extension",
    "unload_ipython_extension": "tierproof.watch.extension",
    "WorkerDiedError": "tierproof.errors",
    "WorkerError": "tierproof.errors",
    "WorkerTimeoutError": "tierproof.errors",
}


def __getattr__(name: str) -> object:
    if name not in _HOMES:
        raise AttributeError(f"module 'tierproof' has no attribute {name!r}")
    import importlib

    return getattr(importlib.import_module(_HOMES[name]), name)


def __dir__() -> list[str]:
    return sorted(__all__)

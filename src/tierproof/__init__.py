"""Check a transformer in a notebook in a minute.

`import tierproof as tp; tp.check(model)`. Nothing heavy is imported until it is needed.
"""

from __future__ import annotations

import sys

from tierproof._version import __version__

if "IPython" in sys.modules:  # a notebook: note what is on disk before an installer changes it
    from tierproof.guard.capture.disk_history import HISTORY

    HISTORY.look()

TYPE_CHECKING = False  # importing it from typing would be the most of this import
if TYPE_CHECKING:
    from tierproof.api.analysis.adversarial import adversarial
    from tierproof.api.analysis.attention import attention
    from tierproof.api.analysis.attribute import attribute
    from tierproof.api.analysis.capacity import capacity
    from tierproof.api.analysis.robustness import robustness
    from tierproof.api.audit.audit import audit
    from tierproof.api.check import check
    from tierproof.api.explain import explain
    from tierproof.api.images.preflight import preflight
    from tierproof.api.packages.doctor import doctor
    from tierproof.api.packages.heal import heal
    from tierproof.api.packages.history import history
    from tierproof.api.packages.install import install
    from tierproof.api.packages.isolated import IsolatedWorker, isolated, isolated_workers
    from tierproof.api.packages.plan import plan
    from tierproof.api.packages.recover import recover
    from tierproof.api.packages.rollback import rollback
    from tierproof.api.packages.save import save
    from tierproof.api.packages.snapshot import snapshot
    from tierproof.api.packages.uninstall import uninstall
    from tierproof.core.report import Report
    from tierproof.errors import TierproofError
    from tierproof.guard.isolate.worker_error import WorkerDiedError, WorkerError, WorkerTimeoutError
    from tierproof.guard.judge.plan import Plan
    from tierproof.guard.judge.plan_refused import PlanRefused
    from tierproof.guard.mend.diagnosis import Diagnosis
    from tierproof.guard.mend.heal_result import Healing
    from tierproof.guard.mend.snapshot import Snapshot
    from tierproof.guard.operations.receipt import Receipt
    from tierproof.images.judge.preflight_result import Preflight
    from tierproof.model.call.spec import ModelSpec
    from tierproof.session.open_notebook import open_notebook, recover_notebook

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
    "adversarial",
    "attention",
    "attribute",
    "audit",
    "capacity",
    "check",
    "doctor",
    "explain",
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
    "robustness",
    "rollback",
    "save",
    "snapshot",
    "uninstall",
]

_HOMES = {
    "adversarial": "tierproof.api.analysis.adversarial",
    "attention": "tierproof.api.analysis.attention",
    "capacity": "tierproof.api.analysis.capacity",
    "attribute": "tierproof.api.analysis.attribute",
    "robustness": "tierproof.api.analysis.robustness",
    "audit": "tierproof.api.audit.audit",
    "check": "tierproof.api.check",
    "doctor": "tierproof.api.packages.doctor",
    "explain": "tierproof.api.explain",
    "heal": "tierproof.api.packages.heal",
    "isolated": "tierproof.api.packages.isolated",
    "isolated_workers": "tierproof.api.packages.isolated",
    "open_notebook": "tierproof.session.open_notebook",
    "recover_notebook": "tierproof.session.open_notebook",
    "plan": "tierproof.api.packages.plan",
    "preflight": "tierproof.api.images.preflight",
    "history": "tierproof.api.packages.history",
    "install": "tierproof.api.packages.install",
    "recover": "tierproof.api.packages.recover",
    "rollback": "tierproof.api.packages.rollback",
    "save": "tierproof.api.packages.save",
    "uninstall": "tierproof.api.packages.uninstall",
    "snapshot": "tierproof.api.packages.snapshot",
    "Diagnosis": "tierproof.guard.mend.diagnosis",
    "Healing": "tierproof.guard.mend.heal_result",
    "IsolatedWorker": "tierproof.api.packages.isolated",
    "ModelSpec": "tierproof.model.call.spec",
    "Plan": "tierproof.guard.judge.plan",
    "PlanRefused": "tierproof.guard.judge.plan_refused",
    "Preflight": "tierproof.images.judge.preflight_result",
    "Receipt": "tierproof.guard.operations.receipt",
    "Snapshot": "tierproof.guard.mend.snapshot",
    "Report": "tierproof.core.report",
    "TierproofError": "tierproof.errors",
    # What `%load_ext tierproof` and `%unload_ext tierproof` look for.
    "load_ipython_extension": "tierproof.extension.extension",
    "unload_ipython_extension": "tierproof.extension.extension",
    "WorkerDiedError": "tierproof.guard.isolate.worker_error",
    "WorkerError": "tierproof.guard.isolate.worker_error",
    "WorkerTimeoutError": "tierproof.guard.isolate.worker_error",
}


def __getattr__(name: str) -> object:
    if name not in _HOMES:
        raise AttributeError(f"module 'tierproof' has no attribute {name!r}")
    import importlib

    return getattr(importlib.import_module(_HOMES[name]), name)


def __dir__() -> list[str]:
    return sorted(__all__)

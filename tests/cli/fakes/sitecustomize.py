"""Stands in for the checks in a child process: one forward, and a report of what it was asked.

A test puts this folder on PYTHONPATH, so that what the command line does around a check is tested with a
check that takes no time. `$HIDDEN_PACKAGE` names a package that is not to be found.
"""

from __future__ import annotations

import importlib.machinery
import os
import sys
from types import ModuleType


def hide(name: str) -> None:
    find = importlib.machinery.PathFinder.find_spec

    def find_spec(fullname, path=None, target=None):
        return None if fullname.partition(".")[0] == name else find(fullname, path, target)

    importlib.machinery.PathFinder.find_spec = find_spec


def check_loaded(loaded, options):
    import torch

    from tierproof.core.check_result import CheckResult, Outcome
    from tierproof.core.finding import Finding, Severity
    from tierproof.core.report import Environment, ModelSummary, Report

    model, progress, inputs = loaded.model, options.progress, options.inputs
    progress(0, 2, "first look")
    tokens = torch.zeros(1, 4, dtype=torch.long) if inputs is None else inputs
    model(tokens)
    progress(1, 2, "second look")
    kind = getattr(model, "verdict", "pass")
    findings = (
        (Finding("T1-SHAPE-001", Severity.ERROR, "It is broken.", where="emb", hint="Mend it."),)
        if kind == "fail"
        else ()
    )
    outcome = {"pass": Outcome.PASSED, "fail": Outcome.FAILED}.get(kind, Outcome.ERRORED)
    asked = ("tier", "spec", "only", "skip", "seed", "budget_s", "device")
    seen = {name: str(getattr(options, name)) for name in asked}
    seen |= {"target": loaded.target, "assumptions": str(loaded.assumptions)}
    seen |= {"inputs": str(tuple(tokens.shape))}
    return Report(
        version="0",
        target=loaded.target,
        model=ModelSummary(type(model).__name__, 1, 1, 4, "causal-lm", assumptions=tuple(loaded.assumptions)),
        environment=Environment("3", torch.__version__, "cpu"),
        seed=options.seed,
        duration_s=0.5,
        results=(CheckResult("T1-SHAPE", "shapes", 1, outcome, measurements=seen, findings=findings),),
    )


def install(name: str, **members: object) -> None:
    module = ModuleType(name)
    vars(module).update(members)
    sys.modules[name] = module


install("tierproof.api.check_loaded", check_loaded=check_loaded)
install("tierproof.checks.registry", load_checks=lambda tier: (), select_checks=lambda checks, **options: ())
if os.environ.get("HIDDEN_PACKAGE"):
    hide(os.environ["HIDDEN_PACKAGE"])

"""`tierproof.plan`: what an install would do here."""

from __future__ import annotations

from collections.abc import Collection

from tierproof.guard.environment_folder import locate_environment_folder
from tierproof.guard.generation_store import GenerationStore
from tierproof.guard.judge_plan import make_plan
from tierproof.guard.loaded_distributions import find_loaded_here
from tierproof.guard.plan import Plan
from tierproof.guard.present_base import capture_present_base
from tierproof.guard.resolve import DEFAULT_LIMIT_S


def plan(*requirements: str, allow_build: Collection[str] = (), limit_s: float = DEFAULT_LIMIT_S) -> Plan:
    """Plan an install into this interpreter. Nothing is installed, and no installed file changes.

    Loaded is what this process has imported.

    Args:
        requirements: `captum`, `"optuna>=4"`, `"ray[tune]"`, `"name @ URL"`, `"./package.whl"`.
        allow_build: names that may be built from source; building runs their code.
        limit_s: seconds that one resolution may take.

    Raises:
        UsageError: a requirement cannot be read.
        UnknownPackageError: no package index knows a name.
        PlanError: no network, an index that refuses, or too slow a search.
        MissingPackageError: uv is not installed.
    """
    start = capture_present_base(GenerationStore(locate_environment_folder()), find_loaded_here)
    return make_plan(requirements, start.base, allow_build=allow_build, limit_s=limit_s)

"""`tierproof.plan`: what an install would do here."""

from __future__ import annotations

from collections.abc import Collection

from tierproof.guard.base import capture_base
from tierproof.guard.judge_plan import make_plan
from tierproof.guard.plan import Plan
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
    return make_plan(requirements, capture_base(), allow_build=allow_build, limit_s=limit_s)

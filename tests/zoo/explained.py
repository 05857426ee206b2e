"""Findings on healthy models that are true of their architecture: (model, code) -> why."""

from __future__ import annotations

EXPLAINED: dict[tuple[str, str], str] = {}

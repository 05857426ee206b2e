"""Folders that many wheels leave at the top by mistake."""

from __future__ import annotations

# Nobody imports them, and what is found first is the base's.
STRAY_MODULES = frozenset(
    {
        "benchmarks",
        "build",
        "doc",
        "docs",
        "example",
        "examples",
        "samples",
        "scripts",
        "test",
        "tests",
        "tools",
    }
)

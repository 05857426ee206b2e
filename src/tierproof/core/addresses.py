"""Addresses that reports, messages and notebooks link to, in one place."""

from __future__ import annotations

import re

REPOSITORY = "tierproof/tierproof"
BRANCH = "main"
FEEDBACK = f"https://github.com/{REPOSITORY}/issues/new"
TROUBLESHOOTING = f"https://github.com/{REPOSITORY}/blob/{BRANCH}/docs/troubleshooting.md"

_CHECKS = f"https://github.com/{REPOSITORY}/blob/{BRANCH}/docs/checks"
_FINDING_CODE = re.compile(r"(T\d+-[A-Z0-9]+)-\d+\Z")


def page_address(code: str) -> str:
    """Where the finding of that code is explained; empty for what is no code of a finding."""
    match = _FINDING_CODE.match(code)
    return f"{_CHECKS}/{match[1]}.md#{code}" if match else ""


def troubleshooting_address(slug: str) -> str:
    """Where the entry of an error is read; empty for an error without one."""
    return f"{TROUBLESHOOTING}#{slug}" if slug else ""


def colab_address(notebook: str) -> str:
    """Where Colab opens the notebook of that name."""
    return f"https://colab.research.google.com/github/{REPOSITORY}/blob/{BRANCH}/notebooks/{notebook}.ipynb"


def kaggle_address(notebook: str) -> str:
    """Where Kaggle opens the notebook of that name."""
    return (
        f"https://kaggle.com/kernels/welcome?src=https://github.com/{REPOSITORY}/blob/{BRANCH}/notebooks/"
        f"{notebook}.ipynb"
    )

"""Addresses that notebooks link to, in one place."""

from __future__ import annotations

REPOSITORY = "tierproof/tierproof"
BRANCH = "main"
FEEDBACK = f"https://github.com/{REPOSITORY}/issues/new"
TROUBLESHOOTING = f"https://github.com/{REPOSITORY}/blob/{BRANCH}/docs/troubleshooting.md"


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

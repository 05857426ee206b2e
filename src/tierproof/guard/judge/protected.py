"""Packages that tierproof never adds to a running kernel, and packages that it never shadows."""

from __future__ import annotations

import re

# Two builds of one of these in a process tear its native libraries; their size forbids trials besides.
_ACCELERATOR = re.compile(
    r"(torch|torchvision|torchaudio|jax|jaxlib|jax-.*|triton|pytorch-triton.*|nvidia|nvidia-.*)\Z"
)

# Pure Python that only asks the driver: it holds no library that could be there twice.
_ASKS_THE_DRIVER = frozenset({"nvidia-ml-py"})

# What a kernel talks through: another version of one of these ends the session at its next start.
_KERNEL = frozenset(
    {
        "comm",
        "debugpy",
        "google-colab",
        "ipykernel",
        "ipython",
        "jupyter-client",
        "jupyter-core",
        "matplotlib-inline",
        "pip",
        "pyzmq",
        "tierproof",
        "tornado",
        "traitlets",
        "uv",
    }
)


def is_accelerator(name: str) -> bool:
    """Tell whether `name` (normalised) may only run isolated: torch, jax, triton and nvidia-*."""
    return _ACCELERATOR.match(name) is not None and name not in _ASKS_THE_DRIVER


def is_protected(name: str) -> bool:
    """Tell whether another version of `name` (normalised) must never override the installed one."""
    return name in _KERNEL or _ACCELERATOR.match(name) is not None

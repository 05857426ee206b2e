"""Sizes of single model types that the table of names in `shrink_config.py` does not get right."""

from __future__ import annotations

from typing import Any

TYPE_SIZES: dict[str, dict[str, Any]] = {}

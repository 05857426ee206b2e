"""The report as the documented JSON."""

from __future__ import annotations

import json

from tierproof.core.report import Report


def render_json(report: Report) -> str:
    """Give exactly `report.to_dict()`, in ASCII, so that no console or file encoding can spoil it."""
    return json.dumps(report.to_dict(), indent=2, allow_nan=False) + "\n"

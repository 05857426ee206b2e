"""The base of the running interpreter."""

from __future__ import annotations

import sys

from tierproof.guard.capture.base import capture_base


def test_the_base_of_this_interpreter() -> None:
    base = capture_base()
    assert base.executable == sys.executable
    assert "packaging" in base.by_name
    assert base.version("nowhere") is None

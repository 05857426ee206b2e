"""Errors of the system as sentences."""

from __future__ import annotations

import pytest

from tierproof.core.system_errors import describe_system_error, telling_system_errors
from tierproof.errors import OutputError


def test_the_file_and_the_reason_are_told() -> None:
    assert (
        describe_system_error(OSError(28, "No space left on device", "/a/b"))
        == "/a/b: No space left on device"
    )
    assert describe_system_error(OSError("it is closed")) == "it is closed"


def test_the_error_is_of_the_kind_that_is_asked_for() -> None:
    def act() -> None:
        with telling_system_errors(OutputError, "cannot write", "Free some space."):
            raise PermissionError(13, "Permission denied", "/a")

    with pytest.raises(OutputError, match="cannot write: /a: Permission denied") as caught:
        act()
    assert caught.value.hint == "Free some space."

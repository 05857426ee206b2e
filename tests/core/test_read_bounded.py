"""Files of strangers: pipes, devices and endless ones are refused before they are read."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tierproof.core.read_bounded import open_regular, read_bounded


def test_a_file_is_read_up_to_the_limit(tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.write_bytes(b"12345")
    assert read_bounded(file, 5) == b"12345"
    with open_regular(file) as stream:
        assert stream.read(2) == b"12"
    with pytest.raises(OSError, match="larger than"):
        read_bounded(file, 4)


def test_what_is_no_file_is_refused(tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    with pytest.raises(OSError, match="not a regular file"):
        read_bounded(pipe)
    with pytest.raises(OSError, match="not a regular file"):
        read_bounded(Path("/dev/zero"))
    with pytest.raises(IsADirectoryError):
        read_bounded(tmp_path)
    with pytest.raises(FileNotFoundError):
        read_bounded(tmp_path / "absent")

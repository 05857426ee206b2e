from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tierproof.guard.capture.remote_version import read_remote_versions

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="needs /proc")


def test_versions_are_read_out_of_another_process(tmp_path: Path) -> None:
    for name, text in (
        ("packtold", "__version__ = '1.' + str(2) + '.3'"),
        ("packmute", "x = 1"),
        ("packodd", "__version__ = 'no version'"),
    ):
        (tmp_path / f"{name}.py").write_text(text)
    code = "import packtold, packmute, packodd; print('up', flush=True); input()"
    with subprocess.Popen(
        [sys.executable, "-c", code], cwd=tmp_path, stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as child:
        assert child.stdout is not None
        assert child.stdout.readline() == b"up\n"
        found = read_remote_versions(child.pid, {"packtold", "packmute", "packodd", "never_imported"})
        child.communicate(b"\n")
    assert found == {"packtold": "1.2.3"}


def test_no_process_and_no_names_give_nothing() -> None:
    child = subprocess.Popen([sys.executable, "-c", ""])
    child.wait()
    assert read_remote_versions(child.pid, {"numpy"}) == {}
    assert read_remote_versions(child.pid, set()) == {}

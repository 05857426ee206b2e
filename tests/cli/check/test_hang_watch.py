"""A forward that never ends: the command says where it hangs, and ends."""

from __future__ import annotations

import time

import pytest

from cli.command import listing, run, write_model


def test_a_forward_that_hangs_is_named(tmp_path):
    write_model(tmp_path, before="import time\nwhile True:\n    time.sleep(0.1)")
    files = listing(tmp_path)
    began = time.monotonic()
    process = run(tmp_path, "check", "model.py", "--timeout", "6", "-o", "r.json", fake=False)
    assert time.monotonic() - began < 60
    assert process.returncode == 2
    assert process.stdout == ""
    assert "for 6 s while working out the inputs" in process.stderr
    assert "Model, " in process.stderr
    assert "model.py:" in process.stderr
    assert "--timeout" in process.stderr
    assert "Traceback" not in process.stderr
    assert listing(tmp_path) == files


@pytest.mark.slow
def test_an_inner_module_that_hangs_is_named_by_its_path(tmp_path):
    write_model(
        tmp_path,
        attributes="import time\nself.head.forward = self.hang",
    )
    path = tmp_path / "model.py"
    path.write_text(
        path.read_text() + "\n    def hang(self, x):\n        import time\n        time.sleep(600)\n"
    )
    process = run(tmp_path, "check", "model.py", "--timeout", "6", fake=False)
    assert process.returncode == 2
    assert "in hang" in process.stderr


def test_a_file_that_hangs_while_it_is_imported(tmp_path):
    (tmp_path / "model.py").write_text("import time\ntime.sleep(600)\n")
    process = run(tmp_path, "check", "model.py:Model", "--timeout", "6", "--json", fake=False)
    assert process.returncode == 2
    assert process.stdout == ""
    assert "loading model.py:Model" in process.stderr
    assert "model.py:2" in process.stderr


@pytest.mark.slow
def test_code_that_keeps_the_lock_is_ended_by_the_parent(tmp_path):
    # A regular expression of this kind runs for ages inside one call, and holds the interpreter's lock.
    write_model(tmp_path, before="import re\nre.match('(a+)+$', 'a' * 60 + 'b')")
    process = run(tmp_path, "check", "model.py", "--timeout", "5", fake=False)
    assert process.returncode == 2
    assert "for 5 s while working out the inputs" in process.stderr

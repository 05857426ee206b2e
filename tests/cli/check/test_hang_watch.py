"""A forward that never ends: the command says where it hangs, and ends."""

from __future__ import annotations

import subprocess
import time

import pytest

from cli.command import listing, run, start, write_model


@pytest.fixture(scope="module")
def hanging(tmp_path_factory) -> dict[str, tuple[subprocess.CompletedProcess[str], bool]]:
    """What is said of a forward and of a file that hang, and whether their folders are as they were.

    Both run at once: each waits for its limit.
    """
    forward, loaded = tmp_path_factory.mktemp("forward"), tmp_path_factory.mktemp("loaded")
    write_model(forward, before="import time\nwhile True:\n    time.sleep(0.1)")
    (loaded / "model.py").write_text("import time\ntime.sleep(600)\n")
    commands = {
        "forward": (forward, ("check", "model.py", "--timeout", "6", "-o", "r.json")),
        "loaded": (loaded, ("check", "model.py:Model", "--timeout", "6", "--json")),
    }
    files = {name: listing(folder) for name, (folder, _) in commands.items()}
    began = time.monotonic()
    started = {name: start(folder, *words, fake=False) for name, (folder, words) in commands.items()}
    found = {}
    for name, process in started.items():
        out, err = process.communicate(timeout=120)
        done = subprocess.CompletedProcess(process.args, process.returncode, out, err)
        found[name] = (done, listing(commands[name][0]) == files[name])
    assert time.monotonic() - began < 60
    return found


def test_a_forward_that_hangs_is_named(hanging):
    process, untouched = hanging["forward"]
    assert process.returncode == 2
    assert process.stdout == ""
    assert "for 6 s while working out the inputs" in process.stderr
    assert "Model, " in process.stderr
    assert "model.py:" in process.stderr
    assert "--timeout" in process.stderr
    assert "Traceback" not in process.stderr
    assert untouched


def test_a_file_that_hangs_while_it_is_imported(hanging):
    process, _ = hanging["loaded"]
    assert process.returncode == 2
    assert process.stdout == ""
    assert "loading model.py:Model" in process.stderr
    assert "model.py:2" in process.stderr


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


@pytest.mark.slow
def test_code_that_keeps_the_lock_is_ended_by_the_parent(tmp_path):
    # A regular expression of this kind runs for ages inside one call, and holds the interpreter's lock.
    write_model(tmp_path, before="import re\nre.match('(a+)+$', 'a' * 60 + 'b')")
    process = run(tmp_path, "check", "model.py", "--timeout", "5", fake=False)
    assert process.returncode == 2
    assert "for 5 s while working out the inputs" in process.stderr

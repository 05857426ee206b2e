"""How `tierproof images` prints: whole names at any width, plain text in a pipe, one document for a program."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path

import pytest

from cli.command import arguments, environment, run

LIST = "numpy==2.0.2\ntorch==2.11.0+cu128\nnothing here\npandas==2.2.2\nnumpy==1\n"
NAME = "a-laboratory-with-a-long-name:2026.07"


class Store:
    """A home with images."""

    def __init__(self, tmp_path: Path) -> None:
        self.folder = tmp_path / "work"
        self.folder.mkdir()
        self.images = tmp_path / "images"
        self.env = {"TIERPROOF_IMAGES": str(self.images), "TIERPROOF_CACHE": str(tmp_path / "cache")}
        (self.folder / "freeze.txt").write_text(LIST)
        (self.folder / "later.txt").write_text("numpy==2.1.0\ntorch==2.11.0+cu128\nnew==1\n")

    def run(self, *words: object, code: int = 0) -> tuple[str, str]:
        done = run(self.folder, "images", *words, fake=False, env=self.env)
        assert done.returncode == code, done.stderr
        assert "Traceback" not in done.stderr
        return done.stdout, done.stderr

    def add(self, file: str = "freeze.txt", name: str = NAME, *words: str) -> tuple[str, str]:
        return self.run("add", file, "--name", name, "--python", "3.12", *words)

    def read(self) -> dict[str, bytes]:
        """Every file but the lock, which names its last holder."""
        return {path.name: path.read_bytes() for path in self.images.iterdir() if path.name != "lock"}


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(tmp_path)


def test_skipped_lines_go_to_stderr(store: Store) -> None:
    stdout, stderr = store.add()
    assert stdout.splitlines() == [f"Added {NAME}: 3 packages, Python 3.12, x86_64-manylinux_2_28"]
    assert stderr.splitlines() == [
        "skipped line 3: this is not a valid requirement: nothing here",
        "skipped line 5: numpy is already on line 1: numpy==1",
    ]
    stdout, stderr = store.add("freeze.txt", "twin", "--json")
    assert [each["line"] for each in json.loads(stdout)["skipped"]] == [3, 5]
    assert "skipped line 3" in stderr


def test_one_document_for_each_command(store: Store) -> None:
    for words in (("list",), ("show", "here"), ("diff", "here", "here")):
        stdout, stderr = store.run(*words, "--json")
        assert json.loads(stdout)["format_version"] == 1
        assert stderr == ""
    store.add()
    (image,) = json.loads(store.run("list", "--json")[0])["images"]
    assert (image["name"], image["packages"], image["torch"]) == (NAME, 3, "2.11.0+cu128")
    document = json.loads(store.run("show", NAME, "--json")[0])
    assert document["notable"] == {"numpy": "2.0.2", "torch": "2.11.0+cu128", "pandas": "2.2.2"}


def test_an_error_leaves_stdout_empty(store: Store) -> None:
    store.add()
    before = store.read()
    (store.folder / "page.txt").write_text("<html>sign in</html>")
    for words, said in (
        (("add", "page.txt", "--name", NAME, "--python", "3.12", "--replace", "--json"), "web page"),
        (("add", "freeze.txt", "--name", NAME, "--python", "3.12"), "--replace"),
        (("add", "absent.txt", "--name", "x", "--python", "3.12"), "No such file"),
        (("add", ".", "--name", "x", "--python", "3.12"), "is a folder"),
        (("add", "freeze.txt", "--name", "x"), "cannot tell which Python version"),
        (("show", "a-laboratory-with-a-long-name:2026.08", "--json"), f"Did you mean {NAME}"),
        (("diff", NAME, "absent"), "no image 'absent'"),
    ):
        stdout, stderr = store.run(*words, code=2)
        assert stdout == ""
        assert said in stderr
    assert store.read() == before


def test_a_list_that_was_damaged_in_the_store(store: Store) -> None:
    store.add("later.txt", "mine")
    (path,) = store.images.glob("mine-cpu-*.txt")
    path.write_text(path.read_text()[:20])
    assert "cut off" in store.run("show", "mine", code=2)[1]
    assert "mine" in store.run("list")[0]


def test_a_diff_asks_no_index(store: Store) -> None:
    store.add()
    store.add("later.txt", "later")
    store.env |= {"UV_DEFAULT_INDEX": "http://127.0.0.1:9/simple", "UV_HTTP_RETRIES": "0"}
    stdout, stderr = store.run("diff", NAME, "later")
    assert stdout.splitlines() == [
        f"{NAME} → later",
        "1 changed (0 major), 1 added, 1 removed, 1 unchanged",
        "native code in the changed packages: 0 with, 0 without, 1 unknown",
        "",
        "changed",
        "  numpy  2.0.2  →  2.1.0",
        "",
        "added",
        "  new  1",
        "",
        "removed",
        "  pandas  2.2.2",
    ]
    assert "--native" in stderr
    assert "cannot ask the package index" in store.run("diff", NAME, "later", "--native")[0]


def test_a_pipe_gets_plain_text(store: Store) -> None:
    store.add()
    stdout, _ = store.run("list")
    assert "\x1b" not in stdout
    assert stdout.splitlines()[1].split() == [NAME, "cpu", *stdout.splitlines()[1].split()[2:]]
    assert {line.index("cpu") for line in stdout.splitlines()[1:]} == {stdout.index("hardware")}


@pytest.mark.skipif(sys.platform == "win32", reason="needs a pseudo-terminal")
@pytest.mark.parametrize("columns", [30, 80, 200])
def test_a_terminal_gets_whole_names_at_any_width(store: Store, columns: int) -> None:
    store.add()
    text = run_in_terminal(store, columns, "list")
    assert f"{NAME}  cpu" in text
    assert "2.11.0+cu128" in text
    assert "…" not in text


@pytest.mark.skipif(sys.platform == "win32", reason="needs a pseudo-terminal")
def test_no_color(store: Store) -> None:
    store.add()
    store.env["NO_COLOR"] = "1"
    assert "\x1b[3" not in run_in_terminal(store, 100, "list")


def run_in_terminal(store: Store, columns: int, *words: str) -> str:
    import pty
    import subprocess

    leader, follower = pty.openpty()
    extra = {**store.env, "COLUMNS": str(columns), "TERM": "xterm-256color"}
    with subprocess.Popen(
        arguments("images", *words),
        cwd=store.folder,
        env=environment(store.folder, fake=False, extra=extra),
        stdin=follower,
        stdout=follower,
        stderr=subprocess.PIPE,
    ) as process:
        os.close(follower)
        parts = []
        while part := read_part(leader):
            parts.append(part)
        os.close(leader)
    assert process.returncode == 0
    return b"".join(parts).decode()


def read_part(leader: int) -> bytes:
    try:
        return os.read(leader, 65536)
    except OSError:  # how Linux says that the other end was closed
        return b""

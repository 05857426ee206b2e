"""`tierproof images`, `preflight` and `plan --image`, as a person runs them."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import pytest

from cli.command import run
from guard.wheelhouse import Wheelhouse

pytest.importorskip("uv")
LISTS = {
    "old.txt": "numb==1.0\npand==1.0\ngone==3.0\n",
    "new.txt": "numb==2.0\npand==1.0\nfresh==0.1\nnothing\nnumb==2.0\n",
}
INDEX = [
    {"image": "colab:2026.01", "hardware": "cpu", "file": "old.txt", "date": "2026-01-16", "commit": "a" * 40,
     "pinned": True, "python": "3.12.12", "os": "Ubuntu 22.04.5 LTS", "packages": 3},
    {"image": "colab:2026-02", "hardware": "gpu", "file": "new.txt", "date": "2026-02-16", "commit": "b" * 40,
     "pinned": False, "python": "3.12.12", "os": "Ubuntu 22.04.5 LTS"},
]  # fmt: skip


class Person:
    """Somebody with an index, a folder of lists and a terminal."""

    def __init__(self, tmp_path: Path) -> None:
        self.folder = tmp_path / "work"
        self.folder.mkdir()
        self.house = Wheelhouse(tmp_path / "house")
        for version in ("1.0", "2.0"):
            self.house.add("numb", version)
        self.house.add("pand", "1.0", "numb<3")
        self.house.add("capt", "0.9", "numb>=1")
        self.house.add("needy", "1.0", "numb>=2")
        lists = tmp_path / "lists"
        lists.mkdir()
        for name, text in LISTS.items():
            (lists / name).write_text(text)
        (lists / "index.json").write_text(json.dumps(INDEX))
        self.lists = lists
        self.environment = {
            **self.house.environment,
            "PIP_INDEX_URL": self.house.url,  # pip does not read uv's settings
            "PIP_CONFIG_FILE": "/dev/null",
            "TIERPROOF_IMAGES": str(tmp_path / "images"),
            "TIERPROOF_CACHE": str(tmp_path / "cache"),
            "TIERPROOF_DATA": str(tmp_path / "data"),
        }
        self.environment.pop("HOME")

    def run(self, *words: object, index: str | None = None) -> subprocess.CompletedProcess[str]:
        changed = {} if index is None else {"UV_DEFAULT_INDEX": index, "UV_HTTP_RETRIES": "0"}
        return run(self.folder, *words, fake=False, env={**self.environment, **changed})

    def ask(self, *words: object, code: int = 0) -> dict:  # type: ignore[type-arg]
        done = self.run(*words, "--json")
        assert done.returncode == code, done.stderr
        document = json.loads(done.stdout)
        assert document["format_version"] == 1
        return document  # type: ignore[no-any-return]


@pytest.fixture
def person(tmp_path: Path) -> Person:
    return Person(tmp_path)


def test_from_a_first_sync_to_a_verdict(person: Person) -> None:
    empty = person.run("images", "list")
    assert "images sync" in empty.stdout + empty.stderr
    assert person.run("plan", "capt", "--image", "colab:2026.01").returncode == 2
    assert len(person.ask("images", "sync", "--from", person.lists)["new"]) == 2
    assert person.ask("images", "sync", "--from", person.lists)["current"] == 2
    listed = person.run("images", "list").stdout
    assert "colab:2026.01" in listed
    assert "colab:2026-02-gpu" in listed
    shown = person.run("images", "show", "colab:2026-02-gpu").stdout
    assert "3.12.12" in shown
    assert "nothing" in shown  # the line that was skipped
    diff = person.ask("images", "diff", "colab:2026.01", "colab:2026-02-gpu")
    assert {each["name"] for each in diff["added"]} == {"fresh"}
    plan = person.ask("plan", "capt", "--image", "colab:2026.01")
    assert (plan["verdict"], plan["base"]) == ("additive", "colab:2026.01")
    assert [item["name"] for item in plan["add"]] == ["capt"]
    plan = person.ask("plan", "needy", "--image", "colab:2026.01", code=1)
    assert plan["conflicts"][0]["package"] == "numb"
    assert person.ask("plan", "capt", "--image", "colab:2026.01", "--offline")["verdict"] == "additive"


def test_preflight_of_files_on_all_images(person: Person) -> None:
    person.run("images", "sync", "--from", person.lists)
    source = ["!pip install capt\n", "if colab:\n", "    !pip install needy"]
    cell = {"cell_type": "code", "metadata": {}, "outputs": [], "execution_count": None, "source": source}
    notebook = {"nbformat": 4, "nbformat_minor": 5, "metadata": {}, "cells": [cell]}
    (person.folder / "demo.ipynb").write_text(json.dumps(notebook))
    (person.folder / "requirements.txt").write_text("capt\n")
    document = person.ask("preflight", "demo.ipynb", "requirements.txt", "--image", "all", code=1)
    verdicts = {(each["target"], each["image"]): each["verdict"] for each in document["results"]}
    assert verdicts["demo.ipynb", "colab:2026-02-gpu"] == "additive"
    assert verdicts["demo.ipynb", "colab:2026.01"] == "shadow"
    assert verdicts["requirements.txt", "colab:2026.01"] == "additive"
    installs = document["results"][0]["installs"]
    assert [(each["cell"], each["line"], each["conditional"]) for each in installs] == [
        (1, 1, False),
        (1, 3, True),
    ]
    text = person.run("preflight", "demo.ipynb", "--image", "colab:2026.01")
    assert text.returncode == 1
    assert "cell 1, line 3" in text.stdout
    assert "plain pip would replace numb 1.0 -> 2.0" in text.stdout


def test_a_freeze_file_and_here(person: Person) -> None:
    (person.folder / "freeze.txt").write_text("numb==1.0\n")
    assert person.run("plan", "capt", "--image", "freeze.txt").returncode == 2  # nobody tells its Python
    assert person.ask("plan", "capt", "--image", "freeze.txt", "--python", "3.12")["verdict"] == "additive"
    added = person.run("images", "add", "freeze.txt", "--name", "lab", "--python", "3.12")
    assert added.returncode == 0, added.stderr
    assert person.run("images", "add", "freeze.txt", "--name", "lab", "--python", "3.12").returncode == 2
    assert person.ask("plan", "capt", "--image", "lab")["base"] == "lab"
    assert "here" in person.run("images", "show", "here").stdout
    assert person.ask("preflight", "capt", "--image", "here")["results"][0]["image"] == "here"


def test_bad_input_is_told_and_harms_nothing(person: Person) -> None:
    person.run("images", "sync", "--from", person.lists)
    person.ask("plan", "capt", "--image", "colab:2026.01")
    files = {
        "page.txt": "<!DOCTYPE html><html>Sign in</html>",
        "cut.txt": "numb==1.0\npand==1.",
        "empty.txt": "",
        "no.ipynb": "{ this",
        "three.ipynb": '{"nbformat": 3, "worksheets": []}',
    }
    for name, text in files.items():
        (person.folder / name).write_text(text)
    (person.folder / "binary.txt").write_bytes(b"\xff\xfe\x00\x00")
    image = ("--image", "colab:2026.01")
    cases = [
        (("plan", "capt", "--image", "page.txt", "--python", "3.12"), "web page"),
        (("plan", "capt", "--image", "cut.txt", "--python", "3.12"), "cut off"),
        (("plan", "capt", "--image", "empty.txt", "--python", "3.12"), "empty"),
        (("plan", "capt", "--image", "binary.txt", "--python", "3.12"), "not a text file"),
        (("plan", "capt", "--image", "colab:1999"), "no image"),
        (("plan", "", *image), "requirement"),
        (("plan", "capt==", *image), "capt=="),
        (("plan", "nosuch", *image), "no package index has a package named 'nosuch'"),
        (("plan", "capt", *image, "--exclude-newer", "tomorrow"), "is not a date"),
        (("preflight", "no.ipynb", *image), "line 1"),
        (("preflight", "three.ipynb", *image), "old notebook format 3"),
        (("preflight", "absent.ipynb", *image), "no file"),
        (("images", "diff", "colab:2026.01", "colab:1999"), "no image"),
        (("images", "sync", "--from", "absent"), "absent"),
        (("images", "watch", "absent.toml"), "absent.toml"),
    ]
    for words, said in cases:
        done = person.run(*words)
        assert done.returncode == 2, words
        assert said in done.stderr, (words, done.stderr)
        assert "Traceback" not in done.stderr
        assert done.stdout == ""
    excluded = person.ask("plan", "needy ; sys_platform == 'win32'", *image)
    assert (excluded["verdict"], excluded["add"]) == ("satisfied", [])
    assert "Skipped because its environment marker does not hold here: needy" in excluded["explanation"]
    assert person.ask("plan", "capt", *image, "--offline")["verdict"] == "additive"


def test_an_index_out_of_reach(person: Person) -> None:
    person.run("images", "sync", "--from", person.lists)
    dead = "http://127.0.0.1:9/simple"
    done = person.run("plan", "capt", "--image", "colab:2026.01", index=dead)
    assert done.returncode == 2
    assert "network" in done.stderr
    person.ask("plan", "capt", "--image", "colab:2026.01")
    assert person.ask("plan", "capt", "--image", "colab:2026.01")["verdict"] == "additive"


def test_watch_tells_what_newly_breaks(person: Person) -> None:
    (person.folder / "watch.toml").write_text(
        '[[subscribe]]\nname = "demo"\ntargets = ["needy"]\nimages = ["colab:2026-02-gpu", "colab:2026.01"]\n'
    )
    words = ("images", "watch", "watch.toml", "--report", "reports", "--from", person.lists)
    document = person.ask(*words, code=1)
    assert [each["change"] for each in document["entries"]] == ["fine", "breaks"]
    (path,) = (person.folder / "reports").glob("*.json")
    path.rename(path.with_name("2026-01-01.json"))
    again = person.run(*words[:-2], "--no-sync")
    assert again.returncode == 0
    assert "still broken" in again.stdout.lower()
    assert len(list((person.folder / "reports").glob("*.md"))) == 1

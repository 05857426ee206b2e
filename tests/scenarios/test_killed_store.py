"""A writer that is killed with SIGKILL leaves a store that works: the old index or the new one."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tierproof.images.lists.image_contents import read_contents
from tierproof.images.lists.image_index import Image
from tierproof.images.lists.verify_list import verify_list
from tierproof.images.store.image_store import is_intact, list_images, store_image

SOURCE = Path(__file__).resolve().parents[2] / "src"
pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="needs SIGKILL")

# Ends itself just before the operation of a given number that `store_image` makes on the disk.
KILLED_AT = """
import os, signal, sys
from pathlib import Path
from tierproof.images.lists.image_index import Image
from tierproof.images.store.image_store import store_image
from tierproof.images.lists.verify_list import verify_list

folder, moment = Path(sys.argv[1]), int(sys.argv[2])
verified = verify_list(b"a==2\\nb==1\\n", source="x")
seen = 0
EVENTS = {"open", "os.rename", "os.remove", "os.mkdir", "os.chmod"}

def count(event, arguments):
    global seen
    if event == "fcntl.flock" or (event in EVENTS and str(folder) in str(arguments)):
        if seen == moment:
            os.kill(os.getpid(), signal.SIGKILL)
        seen += 1

sys.addaudithook(count)
store_image(Image("mine", "cpu", Path(), "3.12"), verified, folder)
"""
WRITES_ON = """
import sys
from pathlib import Path
from tierproof.images.lists.image_index import Image
from tierproof.images.store.image_store import store_image
from tierproof.images.lists.verify_list import verify_list

folder = Path(sys.argv[1])
for number in range(100_000):
    text = f"a=={number}\\nb==1\\n"
    store_image(Image(f"i:{number % 20}", "cpu", Path(), "3.12"), verify_list(text.encode(), source="x"), folder)
    print(number, flush=True)
"""


def start(script: str, *words: object) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", script, *map(str, words)],
        env={**os.environ, "PYTHONPATH": str(SOURCE)},
        stdout=subprocess.PIPE,
        text=True,
    )


def keep(folder: Path, name: str, text: str) -> None:
    store_image(Image(name, "cpu", Path(), "3.12"), verify_list(text.encode(), source="x"), folder)


def read_versions(folder: Path) -> dict[str, str]:
    """Give the version of `a` in every image; each list is read and compared with its digest."""
    images = list_images(folder)
    assert all(is_intact(image) for image in images)
    return {image.name: read_contents(image).file.packages[0].version for image in images}


def test_a_kill_at_every_step_leaves_the_old_index_or_the_new(tmp_path: Path) -> None:
    outcomes = []
    for moment in range(60):
        folder = tmp_path / str(moment)
        keep(folder, "mine", "a==1\n")
        keep(folder, "other", "a==7\n")
        with start(KILLED_AT, folder, moment) as process:
            code = process.wait(timeout=60)
        versions = read_versions(folder)
        outcomes.append(versions["mine"])
        assert versions in ({"mine": "1", "other": "7"}, {"mine": "2", "other": "7"})
        keep(folder, "later", "a==3\n")  # the lock of the dead holds nobody up
        assert read_versions(folder) == {**versions, "later": "3"}
        if code == 0:
            break
        assert code == -signal.SIGKILL
    assert code == 0, "the last moment lies behind the end"
    assert outcomes == sorted(outcomes)
    assert outcomes.count("1") >= 4  # so the kills did fall before the index was replaced
    assert outcomes[-1] == "2"


def test_kills_at_random_moments_lose_nothing(tmp_path: Path) -> None:
    chance = random.Random(4)
    folder = tmp_path / "images"
    for _ in range(12):
        before = read_versions(folder)
        with start(WRITES_ON, folder) as process:
            assert process.stdout is not None
            process.stdout.readline()  # the first one is stored
            time.sleep(chance.uniform(0, 0.06))
            process.kill()
            told = [0, *map(int, process.stdout.read().split())]
        after = read_versions(folder)
        assert before.keys() <= after.keys()
        # What was told to be stored is there, or what came after it under the same name.
        for number in told:
            assert int(after[f"i:{number % 20}"]) >= max(n for n in told if n % 20 == number % 20)

"""A sync that is killed with SIGKILL at many moments leaves a store that works."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from images.published import make_list
from loopback import Site, serve
from tierproof.images.lists.image_contents import read_contents
from tierproof.images.store.image_store import list_images
from tierproof.images.store.open_source import open_source
from tierproof.images.store.sync_images import sync_images

SOURCE = Path(__file__).resolve().parents[2] / "src"
COUNT = 24
pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="needs SIGKILL")


@pytest.fixture
def site() -> Iterator[Site]:
    with serve() as served:
        yield served


def start_sync(url: str, folder: Path) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        [sys.executable, "-m", "tierproof", "images", "sync", "--from", url],
        env={**os.environ, "PYTHONPATH": str(SOURCE), "TIERPROOF_IMAGES": str(folder)},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )


def publish(site: Site) -> str:
    entries = []
    for number in range(COUNT):
        site.pages[f"/images/{number}.txt"] = make_list(a=f"{number}", b="1").encode()
        facts = {"hardware": "cpu", "python": "3.12.12", "commit": f"c{number}"}
        entries.append({"image": f"i:{number:02}", "file": f"{number}.txt", **facts})
    site.pages["/images/index.json"] = json.dumps(entries).encode()
    return f"{site.url}/images"


def wait_for_request(site: Site, path: str) -> None:
    deadline = time.monotonic() + 60
    while path not in site.requests:
        assert time.monotonic() < deadline, f"{path} was never asked for"
        time.sleep(0.002)


@pytest.mark.parametrize("number", [0, 3, 11, COUNT - 1])
def test_a_sync_that_waits_for_a_list_and_is_killed(site: Site, tmp_path: Path, number: int) -> None:
    url = publish(site)
    site.stall_paths.add(f"/images/{number}.txt")
    with start_sync(url, tmp_path) as process:
        wait_for_request(site, f"/images/{number}.txt")
        process.send_signal(signal.SIGKILL)
        process.wait()
    images = list_images(tmp_path)
    assert len(images) == number
    assert all(read_contents(image).file.packages for image in images)
    site.stall_paths.clear()
    site.released.set()
    site.requests.clear()
    report = sync_images(open_source(url), tmp_path)
    assert (len(report.new), report.current) == (COUNT - number, number)
    assert sum(path.endswith(".txt") for path in site.requests) == COUNT - number


def test_a_sync_that_is_killed_while_it_writes(site: Site, tmp_path: Path) -> None:
    url = publish(site)
    known = 0
    for number in range(6):  # each gets a few lists further, and is killed somewhere between two requests
        site.requests.clear()
        with start_sync(url, tmp_path) as process:
            wait_for_request(site, f"/images/{min(4 * number + 3, COUNT - 1)}.txt")
            time.sleep(0.0007 * number)
            process.send_signal(signal.SIGKILL)
            process.wait()
        images = list_images(tmp_path)
        assert len(images) >= known
        known = len(images)
        assert all(read_contents(image).file.packages for image in images)
    report = sync_images(open_source(url), tmp_path)
    assert report.exit_code == 0
    assert len(list_images(tmp_path)) == COUNT


def test_ctrl_c_keeps_what_was_fetched(site: Site, tmp_path: Path) -> None:
    url = publish(site)
    site.stall_paths.add("/images/5.txt")
    with start_sync(url, tmp_path) as process:
        wait_for_request(site, "/images/5.txt")
        process.send_signal(signal.SIGINT)
        stdout, stderr = process.communicate(timeout=60)
    assert process.returncode == 2
    assert stdout == b""
    assert b"The lists fetched so far are kept" in stderr
    assert b"Traceback" not in stderr
    assert len(list_images(tmp_path)) == 5

"""A drive that somebody else can write to: what lies there may change between any two looks at it."""

from __future__ import annotations

import gzip
import hashlib
import io
import os
import tarfile
import threading
import tracemalloc
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from guard.throwaway import Throwaway
from tierproof.core.hash_file import hash_file
from tierproof.guard.capture.inventory import FileStamp, Inventory, parse_inventory
from tierproof.guard.generations.install_error import InstallError
from tierproof.guard.stage.archive import read_archive

ARCHIVE, LOCK = "tierproof-packages.tar.gz", "pylock.toml"
# Swaps the archive: by name before it is opened again, or its content as soon as it has been hashed.
SWAPPING = """
import hashlib, os, sys
archive, forged, how = sys.argv[1:4]
opened = 0
def swap(event, arguments):
    global opened
    if event == "open" and str(arguments[0]) == archive:
        opened += 1
        if opened == 2 and how == "rename":
            os.replace(forged, archive)
sys.addaudithook(swap)
if how == "in place":
    plain = hashlib.sha256
    class Seen:
        def __init__(self, *a): self._it = plain(*a)
        def update(self, data): self._it.update(data)
        def digest(self): self.hexdigest(); return self._it.digest()
        def hexdigest(self):
            if self._it.hexdigest() == os.environ["GENUINE"]:
                data = open(forged, "rb").read()
                with open(archive, "r+b") as stream:
                    stream.write(data); stream.truncate()
            return self._it.hexdigest()
    hashlib.sha256 = lambda *a, **k: Seen(*a)
    hashlib.file_digest = lambda stream, name: (lambda it: (it.update(stream.read()), it)[1])(Seen())
import tierproof as tp
try:
    print("recovered", tp.recover(sys.argv[4], **({"lock": sys.argv[5]} if len(sys.argv) > 5 else {})).generation)
except tp.errors.TierproofError as error:
    print("refused", error)
"""


@pytest.fixture
def here(tmp_path: Path) -> Throwaway:
    throwaway = Throwaway(tmp_path)
    throwaway.index.add("helper", "1.0")
    throwaway.index.add("other", "1.0")
    return throwaway


def save(here: Throwaway, *requirements: str) -> Path:
    """Install and save on one machine; what is left is a fresh one, and the folder on the drive."""
    here.install(*requirements)
    folder = here.folder / "drive"
    assert here.command("save", str(folder)).returncode == 0
    (here.site / "tierproof-packages.pth").unlink()
    here.data = here.folder / "data-of-a-fresh-machine"
    return folder


def forge(drive: Path, target: Path) -> None:
    """An archive that is consistent in itself, with other code in it."""
    with tarfile.open(drive / ARCHIVE, "r:gz") as old:
        contents = {each.name: old.extractfile(each).read() for each in old}  # type: ignore[union-attr]
    contents["site/helper.py"] = b"__version__ = 'forged'\n"
    inventory = parse_inventory(contents["inventory.json"].decode())
    stamp = FileStamp(hashlib.sha256(contents["site/helper.py"]).hexdigest(), len(contents["site/helper.py"]))
    files = inventory.packages["helper"]
    changed = replace(files, files={**files.files, "helper.py": stamp})
    contents["inventory.json"] = Inventory({"helper": changed}).to_json().encode()
    with tarfile.open(target, "w:gz") as new:
        for name, data in contents.items():
            entry = tarfile.TarInfo(name)
            entry.size = len(data)
            new.addfile(entry, io.BytesIO(data))


@pytest.mark.parametrize("how", ["rename", "in place"])
def test_an_archive_that_is_swapped_between_its_hash_and_its_use(here: Throwaway, how: str) -> None:
    drive = save(here, "helper==1.0")
    lock, forged = here.folder / "trusted.toml", here.folder / "forged"
    lock.write_bytes((drive / LOCK).read_bytes())
    forge(drive, forged)
    # Trusted, the forgery is accepted: it is whole, and only its digest gives it away.
    here.data, fresh = here.folder / "data-of-a-careless-one", here.data
    genuine = (drive / ARCHIVE).read_bytes()
    (drive / ARCHIVE).write_bytes(forged.read_bytes())
    assert here.command("recover", str(drive), "--trust").returncode == 0
    assert here.find_version("helper") == "forged"
    (here.site / "tierproof-packages.pth").unlink()
    here.data = fresh
    (drive / ARCHIVE).write_bytes(genuine)
    done = here.run(
        "-c", SWAPPING, str(drive / ARCHIVE), str(forged), how, str(drive), str(lock),
        env={**here.environment, "GENUINE": hash_file(drive / ARCHIVE)},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert here.find_version("helper") in ("1.0", None), done.stdout
    if how == "in place":
        assert done.stdout.startswith("recovered"), done.stdout
        assert (drive / ARCHIVE).read_bytes() == forged.read_bytes(), "nothing was swapped"


def test_a_known_archive_beside_the_lock_of_another(here: Throwaway) -> None:
    drive = save(here, "helper")
    assert here.command("recover", str(drive), "--trust").returncode == 0
    first = (drive / ARCHIVE).read_bytes()
    here.install("other")
    assert here.command("save", str(drive)).returncode == 0
    (drive / ARCHIVE).write_bytes(first)  # an older one, which this machine knows
    for folder in here.data.glob("environments/*/generations"):
        folder.rename(folder.with_name("elsewhere"))
    (here.site / "tierproof-packages.pth").unlink()
    done = here.command("recover", str(drive))
    assert done.returncode == 2
    assert "the lock file names" in done.stderr
    assert here.find_version("helper") is None


@pytest.mark.parametrize("known", [False, True])
def test_a_lock_without_its_archive_says_from_where_and_so_needs_vouching(
    here: Throwaway, known: bool
) -> None:
    drive = save(here, "helper")
    if known:  # the archive was trusted once; a lock that was not beside it then is still a stranger's
        assert here.command("recover", str(drive), "--trust").returncode == 0
        (here.site / "tierproof-packages.pth").unlink()
        for folder in here.data.glob("environments/*/generations"):
            folder.rename(folder.with_name("elsewhere"))
    here.index.add("evil", "1.0")
    text = (drive / LOCK).read_text().replace("helper", "evil").replace('generation = "', 'generation = "x')
    (drive / LOCK).write_text(text)
    (drive / ARCHIVE).unlink()
    done = here.command("recover", str(drive))
    assert done.returncode == 2
    assert "cannot be verified" in done.stderr
    assert here.find_version("evil") is None


def endless_header() -> bytes:
    """A pax header of 200 MB, which compresses to next to nothing."""
    size = 200 << 20
    header = tarfile.TarInfo("x")
    header.type, header.size = tarfile.XHDTYPE, size
    return header.tobuf() + b" " * size


def chained_headers() -> bytes:
    """Ten thousand extended headers, one behind the other, and no member."""
    header = tarfile.TarInfo("x")
    header.type, header.size = tarfile.XHDTYPE, 512
    return (header.tobuf() + b"16 path=" + b"a" * 7 + b"\n" + b"\0" * 496) * 10_000


def global_header() -> bytes:
    header = tarfile.TarInfo("x")
    header.type, header.size = tarfile.XGLTYPE, 512
    return header.tobuf() + b"16 path=" + b"a" * 7 + b"\n" + b"\0" * 496 + tarfile.TarInfo("a").tobuf()


def long_name() -> bytes:
    header = tarfile.TarInfo("x")
    header.type, header.size = tarfile.GNUTYPE_LONGNAME, 200 << 20
    return header.tobuf() + b"a" * (200 << 20)


def many_sparse_parts() -> bytes:
    header = tarfile.TarInfo("x")
    header.type, header.size = tarfile.GNUTYPE_SPARSE, 1 << 50
    return header.tobuf()


@pytest.mark.parametrize(
    "make", [endless_header, chained_headers, global_header, long_name, many_sparse_parts]
)
def test_headers_that_would_fill_the_memory(tmp_path: Path, make: Any) -> None:
    packed = tmp_path / ARCHIVE
    with gzip.open(packed, "wb", compresslevel=1) as stream:
        stream.write(make())
    (tmp_path / "out").mkdir()
    tracemalloc.start()
    try:
        with packed.open("rb") as stream, pytest.raises(InstallError, match=r"archive|unpack"):
            read_archive(stream, packed, tmp_path / "out")
        assert tracemalloc.get_traced_memory()[1] < 5_000_000
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize("which", [ARCHIVE, LOCK])
def test_a_pipe_or_a_device_on_the_drive_is_no_file(here: Throwaway, which: str) -> None:
    drive = save(here, "helper")
    (drive / which).unlink()
    os.mkfifo(drive / which)
    done: list[Any] = []
    thread = threading.Thread(
        target=lambda: done.append(here.command("recover", str(drive), "--trust")), daemon=True
    )
    thread.start()
    thread.join(60)
    assert done, "it waits for the other end of the pipe"
    # A pipe in the archive's place is no archive: everything is fetched, exactly as the trusted lock says.
    assert done[0].returncode == (0 if which == ARCHIVE else 2), done[0].stderr

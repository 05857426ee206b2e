from __future__ import annotations

import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tierproof.guard.capture.build_id import find_build_id
from tierproof.guard.capture.mapped import (
    MappedLibrary,
    is_replaced,
    parse_maps,
    read_beginning,
    read_mapped_libraries,
    site_roots,
)
from tierproof.guard.system.process import (
    ProcessError,
    find_own_processes,
    parse_start_ticks,
    process_started_at,
)

linux = pytest.mark.skipif(sys.platform != "linux", reason="needs /proc")
MAPS = """\
7f0000000000-7f0000001000 r--p 00000000 08:01 42    /env/lib/python3.11/site-packages/a b/core.so
7f0000001000-7f0000002000 r-xp 00001000 08:01 42    /env/lib/python3.11/site-packages/a b/core.so
7f0000003000-7f0000004000 rw-p 00000000 fe:1a 43    /env/lib/python3.11/site-packages/~umpy/x.so.1-2 (deleted)
7f0000005000-7f0000006000 rw-p 00000000 00:00 0     [heap]
7f0000007000-7f0000008000 r--p 00000000 08:01 44    /usr/lib/locale/C.utf8
"""


def test_libraries_are_read_from_maps() -> None:
    first, second = parse_maps(MAPS)
    assert first.path == "/env/lib/python3.11/site-packages/a b/core.so"
    assert (first.device, first.inode, first.deleted, first.constant) == (os.makedev(8, 1), 42, False, True)
    assert (first.start, first.end) == (0x7F0000000000, 0x7F0000001000)
    assert second.path.endswith("~umpy/x.so.1-2")
    assert (second.deleted, second.constant) == (True, False)
    assert site_roots([first, second]) == (Path("/env/lib/python3.11/site-packages"),)


def test_of_several_parts_the_one_from_the_files_beginning_counts() -> None:
    first, second, third = parse_maps(
        "1000-2000 r-xp 00001000 08:01 42    /env/core.so\n"
        "2000-3000 r--p 00000000 08:01 42    /env/core.so\n"
        "3000-4000 rw-p 00000000 08:01 42    /env/core.so\n"
        "4000-5000 r--p 00000000 08:01 43    /env/core.so\n"
        "5000-6000 r-xp 00001000 08:01 44    /env/core.so\n"
    )
    assert (first.inode, first.start, first.end, first.constant) == (42, 0x2000, 0x3000, True)
    assert (second.inode, second.start) == (43, 0x4000)
    assert (third.inode, third.end) == (44, 0)


@linux
def test_of_a_process_with_nothing_below_a_folder_nothing_is_listed(tmp_path: Path) -> None:
    everything = read_mapped_libraries(os.getpid())
    folder = Path(everything[0].path).parent
    assert read_mapped_libraries(os.getpid(), below=[tmp_path, folder]) == everything
    assert read_mapped_libraries(os.getpid(), below=[tmp_path]) == ()


@given(st.text())
def test_any_text_is_read_without_an_error(text: str) -> None:
    parse_maps(text)


@given(
    st.integers(0, 2**47),
    st.integers(1, 2**30),
    st.integers(0, 255),
    st.integers(1, 2**63),
    st.booleans(),
    st.from_regex(r"(/[A-Za-z0-9 ._()~-]{1,12}){1,4}\.so(\.[0-9]{1,3})?", fullmatch=True),
)
def test_every_library_line_is_read_back(
    start: int, length: int, major: int, inode: int, deleted: bool, path: str
) -> None:
    mark = " (deleted)" if deleted else ""
    line = f"{start:x}-{start + length:x} r--p 00000000 {major:02x}:01 {inode} \t {path}{mark}"
    assert parse_maps(line) == (
        MappedLibrary(path, os.makedev(major, 1), inode, deleted, start, start + length, constant=True),
    )


@given(st.binary(), st.booleans())
def test_build_id_reads_any_bytes(noise: bytes, is_elf: bool) -> None:
    find_build_id(b"\x7fELF\x02\x01" + noise if is_elf else noise)


@linux
def test_a_reinstalled_library_is_the_same_and_another_is_not(tmp_path: Path) -> None:
    import _ctypes as first
    import _elementtree as other

    own = Path(first.__file__)
    library = tmp_path / own.name
    shutil.copy(own, library)
    code = f"""
import importlib.util
spec = importlib.util.spec_from_file_location("_ctypes", {str(library)!r})
importlib.util.module_from_spec(spec)
print("loaded", flush=True)
input()
"""
    with subprocess.Popen(
        [sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as child:
        assert child.stdout is not None
        assert child.stdout.readline() == b"loaded\n"

        def mapped() -> MappedLibrary:
            return next(each for each in read_mapped_libraries(child.pid) if each.path == str(library))

        assert not is_replaced(child.pid, mapped(), library)
        library.unlink()
        assert is_replaced(child.pid, mapped(), library)
        shutil.copy(own, library)
        assert mapped().deleted
        assert not is_replaced(child.pid, mapped(), library)
        library.unlink()
        shutil.copy(other.__file__, library)
        assert is_replaced(child.pid, mapped(), library)
        child.communicate(b"\n")


@linux
def test_unreadable_memory_is_no_answer() -> None:
    assert read_beginning(os.getpid(), MappedLibrary("/x.so", 1, 1, deleted=True)) == b""
    assert read_beginning(os.getpid(), MappedLibrary("/x.so", 1, 1, True, 1, 4097)) == b""


@linux
def test_a_process_that_is_gone_is_said_so() -> None:
    child = subprocess.Popen([sys.executable, "-c", ""])
    child.wait()
    with pytest.raises(ProcessError, match="no process"):
        read_mapped_libraries(child.pid)


@linux
def test_start_of_a_process_lies_between_boot_and_now() -> None:
    before = time.time()
    with subprocess.Popen(["sleep", "60"]) as child:
        started = process_started_at(child.pid)
        child.kill()
    assert started is not None
    assert before - 0.05 <= started <= time.time() + 0.05
    assert process_started_at(2**22 + 1) is None
    assert os.getppid() in find_own_processes() or os.getppid() == 0
    assert os.getpid() not in find_own_processes()


def test_a_command_with_brackets_does_no_harm() -> None:
    stat = "12 (a) b) (c) S " + " ".join(str(number) for number in range(4, 53))
    assert parse_start_ticks(stat) == 22
    for text in ("1 (x) S", ""):
        with pytest.raises(ValueError):
            parse_start_ticks(text)

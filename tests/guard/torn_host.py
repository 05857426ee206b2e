"""A process that has a package loaded and heals it again and again, by children that are killed on the way.

Run as `python -S torn_host.py FOLDER FIRST STEP host|self [fail]` with `src`, `tests` and packaging on PYTHONPATH; prints one JSON
line for each point. FOLDER is empty at the start. The package `pack` has a native library, so that it can be
healed from outside as well. With `fail` no child is killed: a call of the operating system fails instead.
"""

from __future__ import annotations

import json
import os
import shutil
import signal
import sys
from pathlib import Path
from typing import Any

from guard.failing_calls import ERRORS, FailingCalls
from guard.fake_site import digest, install

CHANGES = {
    "os.rename", "os.mkdir", "os.remove", "os.rmdir", "os.link", "os.chmod", "os.symlink", "os.truncate",
    "shutil.rmtree", "shutil.copyfile", "tempfile.mkstemp", "tempfile.mkdtemp",
}  # fmt: skip
KILLED = -signal.SIGKILL


def write_version(root: Path, version: str, library: str) -> None:
    number = version[0]
    files = {
        "pack/__init__.py": f"__version__ = {version!r}\nfrom pack import {library}\ndef f():\n    return {number}\n",
        "pack/late.py": f"def g():\n    return {number}\n",
        f"pack/only_in_{number}/x.py": "x = 1\n",
        f"extra_{number}.py": f"y = {number}\n",
        "pack_single.py": f"z = {number}\n",
    }
    metadata = install(root, "pack", version, files)
    source = Path(__import__(library).__file__ or "")
    target = root / "pack" / source.name
    shutil.copy(source, target)
    content = target.read_bytes()
    with (metadata / "RECORD").open("a") as stream:
        stream.write(f"pack/{source.name},{digest(content)},{len(content)}\n")


def read_tree(root: Path) -> dict[str, bytes]:
    found = {}
    for path in root.rglob("*"):
        relative = path.relative_to(root).as_posix()
        if path.is_file() and "__pycache__" not in relative and not relative.startswith(".tierproof"):
            content = path.read_bytes()
            if relative.endswith("RECORD"):  # a heal writes it in another order
                content = b"\n".join(sorted(content.split()))
            found[relative] = content
    return found


def remove_version(root: Path) -> None:
    for path in root.iterdir():
        if path.name.startswith((".tierproof", "pack", "extra")):
            shutil.rmtree(path) if path.is_dir() else path.unlink()


def in_child_killed_at(point: int, action: Any) -> int:
    """Run `action` in a fork that kills itself before its `point`-th change of the disk; its status."""
    pid = os.fork()
    if pid:
        return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
    count = 0

    def watch(event: str, arguments: tuple[Any, ...]) -> None:
        nonlocal count
        if event == "open":
            flags = arguments[2] if isinstance(arguments[2], int) else 0
            if not flags & (os.O_WRONLY | os.O_RDWR | os.O_CREAT):
                return
        elif event not in CHANGES:
            return
        count += 1
        if count == point:
            os.kill(os.getpid(), signal.SIGKILL)

    sys.addaudithook(watch)
    try:
        action()
        os._exit(0)
    except BaseException:
        __import__("traceback").print_exc()
        os._exit(3)


def in_child_failing_at(point: int, action: Any) -> int:
    """Heal in a fork in which the `point`-th call fails: 0 = healed, 1 = refused, 3 = internal, 9 = nothing failed."""
    pid = os.fork()
    if pid:
        return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
    failing = FailingCalls(point, ERRORS[point % len(ERRORS)])
    status = 3
    try:
        from tierproof.errors import TierproofError

        failing.install()
        try:
            status = 0 if action().healed else 1
        except TierproofError:
            status = 1
        if not failing.failed:
            status = 9
    except BaseException:
        __import__("traceback").print_exc()
    finally:
        if os.environ.get("SAY") or status not in (0, 9):
            sys.stderr.write(f"{point} ended with {status}; failed: {failing.failed}\n")
        os._exit(status)


def main() -> None:
    fails = sys.argv[5:] == ["fail"]
    folder, first, step, target = Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3]), sys.argv[4]
    root, new = folder / "site-packages", folder / "new"
    for each in (root, new):
        each.mkdir()
    write_version(root, "1.0", "_elementtree")
    write_version(new, "2.0", "_ctypes_test")
    sys.path.insert(0, str(root))
    import pack  # noqa: F401

    import tierproof as tp
    from tierproof.guard.mend.doctor import diagnose_this_process
    from tierproof.guard.mend.heal import heal_process

    old_tree, new_tree = read_tree(root), read_tree(new)
    assert tp.doctor().healthy
    assert [each.package for each in tp.snapshot().kept] == ["pack"], tp.snapshot().to_dict()
    host = os.getpid()
    # By itself, a child has the package loaded that dies with it; for the host, one that lives on.
    heal = (lambda: heal_process(host)) if target == "host" else (lambda: heal_process(os.getpid()))
    point = first
    while True:
        remove_version(root)
        shutil.copytree(new, root, dirs_exist_ok=True, symlinks=True)
        (root / "pack" / "users_own.txt").write_text("mine")
        (torn,) = diagnose_this_process().torn
        status = (in_child_failing_at if fails else in_child_killed_at)(point, heal)
        # A third of the settlings is killed in its turn.
        settle_status = in_child_killed_at(1 + point % 7, tp.doctor) if point % 3 == 0 and not fails else 0
        between = "healed" if read_tree(root).keys() - {"pack/users_own.txt"} == old_tree.keys() else "torn"
        after = diagnose_this_process()
        tree = read_tree(root)
        mine = tree.pop("pack/users_own.txt", b"")
        result = {
            "point": point,
            "status": status,
            "settle_status": settle_status,
            "between": between,
            "state": "old" if tree == old_tree else "new" if tree == new_tree else sorted(tree),
            "same_tear": [each.to_dict() for each in after.torn] == [torn.to_dict()],
            "healthy": after.healthy,
            "mine": mine.decode(),
            "notes": list(after.notes),
        }
        again = tp.heal()
        tree = read_tree(root)
        tree.pop("pack/users_own.txt", None)
        result["healed"] = again.ok and tree == old_tree
        result["why"] = "" if result["healed"] else str(again)
        result["left"] = [path.name for path in root.iterdir() if path.name.startswith(".")]
        print(json.dumps(result), flush=True)
        if status != KILLED and not (fails and status != 9):
            break
        point += step


if __name__ == "__main__":
    main()

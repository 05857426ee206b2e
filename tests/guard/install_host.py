"""Installs, uninstalls, rolls back and collects garbage in children that are killed on the way.

Run by the python of a throw-away environment as `install_host.py ACTION FIRST STEP MOST`; prints one JSON line for each point.
A point is the number of a change to the disk, or of a file opened or a program started, after which the child
ends by SIGKILL. Between points everything is put back as it was.
"""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import sysconfig
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from tierproof.guard.capture.loaded_distributions import find_loaded_here
from tierproof.guard.generations import generation_users
from tierproof.guard.generations.generation_path_file import read_present
from tierproof.guard.generations.generation_store import GenerationStore
from tierproof.guard.mend.doctor import diagnose_environment
from tierproof.guard.operations.collect_garbage import collect_garbage
from tierproof.guard.operations.install import InstallRequest, install_requirements
from tierproof.guard.operations.recover import RecoverRequest, recover
from tierproof.guard.operations.rollback import roll_back
from tierproof.guard.operations.uninstall import uninstall_packages
from tierproof.guard.stage.consent import Consent
from tierproof.guard.system.environment_folder import find_environment_folder
from tierproof.guard.system.path_file import PATH_FILE

EVENTS = {
    "open", "os.rename", "os.mkdir", "os.remove", "os.rmdir", "os.link", "os.chmod", "os.truncate", "os.listdir",
    "os.scandir", "shutil.rmtree", "tempfile.mkstemp", "tempfile.mkdtemp", "subprocess.Popen", "fcntl.lockf",
}  # fmt: skip
SITE = Path(sysconfig.get_path("purelib"))
SCRIPTS = Path(sysconfig.get_path("scripts"))
generation_users.START_SLACK_S = 0.0  # this process starts just before the first activation
STORE = GenerationStore(find_environment_folder())


def install(*requirements: str) -> object:
    return install_requirements(
        InstallRequest(requirements, Consent(), find_loaded_here, in_process=False, limit_s=60)
    )


ACTIONS: dict[str, Callable[[], Any]] = {
    "install": lambda: install("newer"),
    "change": lambda: install("helper==1.5", "newer"),
    "uninstall": lambda: uninstall_packages(["tool"], in_process=False),
    "rollback": lambda: roll_back(1, in_process=False),
    "gc": lambda: collect_garbage(keep=0),
    "recover": lambda: recover(RecoverRequest()),
}


def run_killed(action: Callable[[], Any], point: int) -> int:
    """Fork, do `action`, and kill the child at its `point`-th event; gives its wait status."""
    pid = os.fork()
    if pid:
        return os.waitpid(pid, 0)[1]
    count = 0

    def watch(event: str, _arguments: tuple[Any, ...]) -> None:
        nonlocal count
        if event in EVENTS:
            count += 1
            if count == point:
                os.kill(os.getpid(), signal.SIGKILL)

    sys.addaudithook(watch)
    try:
        action()
        os._exit(0)
    except BaseException as error:
        sys.stderr.write(f"{type(error).__name__}: {error}\n")
        os._exit(3)


def do(action: Callable[[], Any]) -> None:
    """Do it in a child, which ends: this process never has a generation on its path."""
    assert run_killed(action, 0) == 0, "the action itself fails"


def await_orphans() -> None:
    """Wait for what a killed child had started: while it lives, it counts as a user of what was present."""
    for _ in range(600):
        if not generation_users.find_live_processes():
            return
        time.sleep(0.05)
    raise TimeoutError("a process of this environment does not end")


def restore(backup: Path) -> None:
    """Put everything back as `keep` found it."""
    await_orphans()
    for target, name in ((STORE.folder, "store"), (SCRIPTS, "scripts")):
        shutil.rmtree(target)
        shutil.copytree(backup / name, target, symlinks=True)
    for path in SITE.iterdir():
        if path.name.startswith((".tierproof", "tierproof-packages")):
            path.unlink()
    if (backup / PATH_FILE).exists():
        shutil.copy2(backup / PATH_FILE, SITE / PATH_FILE)


def keep(backup: Path) -> None:
    shutil.rmtree(backup, ignore_errors=True)
    backup.mkdir()
    shutil.copytree(STORE.folder, backup / "store", symlinks=True)
    shutil.copytree(SCRIPTS, backup / "scripts", symlinks=True)
    if (SITE / PATH_FILE).exists():
        shutil.copy2(SITE / PATH_FILE, backup / PATH_FILE)


def find_present() -> str:
    present = read_present(STORE)
    return "" if present is None else present.id


def import_all() -> dict[str, str]:
    """What a fresh process imports of the packages that are added here or may be."""
    code = (
        "import importlib, json\nfound = {}\n"
        "for name in ('helper', 'tool', 'newer'):\n"
        "    try: found[name] = importlib.import_module(name).__version__\n"
        "    except ModuleNotFoundError: pass\n"
        "print(json.dumps(found))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    found: dict[str, str] = json.loads(done.stdout)
    return found


def describe(identifier: str) -> dict[str, str]:
    return {} if not identifier else dict(STORE.read(identifier).versions)


def judge(old: str, new: str) -> dict[str, Any]:
    """How it stands after a kill, and whether the next install works."""
    present = find_present()
    result = {
        "state": "old" if present == old else "new" if present == new else "other",
        "whole": not present or STORE.is_whole(present),
        "imports": import_all() == describe(present),
        "healthy": diagnose_environment().healthy,
    }
    if not result["whole"]:
        do(ACTIONS["recover"])
    await_orphans()
    do(lambda: install("after"))
    fresh = subprocess.run([sys.executable, "-c", "import after, helper"], capture_output=True, check=False)
    result["next"] = fresh.returncode == 0 and find_present() != present
    result["left"] = [path.name for path in (STORE.folder / "staging").iterdir()]
    result["strays"] = [
        path.name for path in (*SITE.iterdir(), *SCRIPTS.iterdir()) if path.name.startswith(".tierproof")
    ]
    result["scripts"] = (SCRIPTS / "tool-run").exists() == ("tool" in describe(find_present()))
    return result


def main() -> None:
    name, first, step, most = sys.argv[1], *map(int, sys.argv[2:5])
    do(lambda: install("helper==1.0", "tool"))
    if name in ("rollback", "gc"):
        do(lambda: install("newer"))
    backup = STORE.folder.parent / "backup"
    if name == "recover":
        (STORE.site(find_present()) / "helper.py").unlink()
    keep(backup)
    old = find_present()
    action = ACTIONS[name]
    do(action)
    new = find_present()
    for point in range(first, first + step * most, step):
        restore(backup)
        status = run_killed(action, point)
        if os.WIFEXITED(status):
            assert os.WEXITSTATUS(status) == 0
            break
        print(json.dumps({"point": point, **judge(old, new)}), flush=True)


if __name__ == "__main__":
    main()

"""Does an operation again and again in children in which one call of the operating system fails.

Run by the python of a throw-away environment as `failing_host.py ACTION FIRST STEP HOW`; prints one JSON line for each
point. HOW is `once`, or `lasting` for a disk that stays full. Between points everything is put back as it was.
"""

from __future__ import annotations

import errno
import json
import os
import shutil
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

from guard.failing_calls import ERRORS, FailingCalls
from guard.install_host import ACTIONS, SCRIPTS, SITE, STORE, do, find_present, install, keep, restore
from tierproof.errors import TierproofError
from tierproof.guard.system.path_file import PATH_FILE

STAGED = Path(tempfile.gettempdir())


def try_failing(action: Callable[[], Any], failing: FailingCalls, report: Path) -> None:
    """Fork, and do `action` with one call that fails; what came of it is written to `report`."""
    pid = os.fork()
    if pid:
        os.waitpid(pid, 0)
        return
    plain = os.open, os.write
    try:
        failing.install()
        try:
            result = action()
            told = {"outcome": "done", "said": str(result)}
        except TierproofError as error:
            told = {"outcome": "refused", "said": str(error)}
        except BaseException as error:
            import traceback

            told = {"outcome": f"internal: {type(error).__name__}", "said": traceback.format_exc()[-3000:]}
        told |= {"failed": failing.failed}
        descriptor = plain[0](report, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
        plain[1](descriptor, json.dumps(told).encode())
    finally:
        os._exit(0)


def describe() -> dict[str, Any]:
    """What a fresh process would see, and what stands in the folders that belong to others as well."""
    return {
        "present": find_present(),
        "path_file": (SITE / PATH_FILE).read_text() if (SITE / PATH_FILE).exists() else "",
        "scripts": sorted(path.name for path in SCRIPTS.iterdir()),
    }


def find_leftovers() -> list[str]:
    places = (*SITE.iterdir(), *SCRIPTS.iterdir(), *STORE.folder.rglob(".*"))
    found = [path.name for path in places if path.name.startswith(".")]
    found += [path.name for path in (STORE.folder / "staging").iterdir()]
    return found + [path.name for path in STAGED.iterdir() if path.name.startswith("tierproof-")]


def main() -> None:
    name, first, step, how = sys.argv[1], int(sys.argv[2]), int(sys.argv[3]), sys.argv[4]
    do(lambda: install("helper==1.0", "tool"))
    if name in ("rollback", "gc"):
        do(lambda: install("newer"))
    backup = STORE.folder.parent / "backup"
    if name == "recover":
        (STORE.site(find_present()) / "helper.py").unlink()
    keep(backup)
    ACTIONS["undo"] = lambda: install("tool")
    action, old = ACTIONS[name], describe()
    do(action)
    new = describe()
    report = STORE.folder.parent / "report"
    point = first
    while True:
        number = errno.ENOSPC if how == "lasting" else ERRORS[(point // step) % len(ERRORS)]
        restore(backup)
        failing = FailingCalls(point, number, lasting=how == "lasting")
        try_failing(action, failing, report)
        told = json.loads(report.read_bytes())
        after = describe()
        whole = not after["present"] or STORE.is_whole(after["present"])
        state = "old" if after == old else "new" if after == new else after
        if told["outcome"] == "done" and "console script" in told["said"]:  # told, and mended by the next
            state = "new" if {**after, "scripts": 0} == {**new, "scripts": 0} else after
        # The next one works, and clears what is left.
        again = name == "uninstall" and told["outcome"] == "done"
        do(ACTIONS["undo"] if again else action)
        told |= {
            "point": point,
            "error": errno.errorcode[number],
            "state": state,
            "same": old == new,
            "whole": whole,
            "next": describe() == (old if again else new),
            "left": find_leftovers(),
        }
        print(json.dumps(told), flush=True)
        if not told["failed"]:
            break
        point += step
    shutil.rmtree(backup)


if __name__ == "__main__":
    main()

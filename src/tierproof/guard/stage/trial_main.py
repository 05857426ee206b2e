"""What the child of an import trial runs, as `python -c` or in a fork. Standard library only.

It imports the warm modules, hears what to try, and says of each module how it went. Each import is announced before
it begins, so that a crash names its module. Where a module to try is loaded already, it says nothing at all.
"""

import importlib
import json
import os
import sys
from collections.abc import Sequence


def serve(out: str, warm: Sequence[str], ear: int) -> None:
    """Warm up, read one request from the descriptor `ear` to its end, and write the answers to the file `out`."""
    for name in warm:
        importlib.import_module(name)
    heard = b""
    while part := os.read(ear, 1 << 16):
        heard += part
    os.close(ear)
    request = json.loads(heard or b"null")
    if request is None or any(name.partition(".")[0] in sys.modules for name in request["modules"]):
        return
    sys.path[:] = request["path"]
    importlib.invalidate_caches()
    with open(out, "w", encoding="utf-8") as file:  # noqa: PTH123 - pathlib may be what is tried

        def say(**line: str) -> None:
            file.write(json.dumps(line) + "\n")
            file.flush()

        for name in request["modules"]:
            say(module=name, state="begun")
            try:
                importlib.import_module(name)
            except BaseException as error:  # noqa: BLE001 - it is the answer
                missing = (
                    (getattr(error, "name", None) or "") if isinstance(error, ModuleNotFoundError) else ""
                )
                text = str(error)[:2000]
                say(module=name, state="failed", type=type(error).__name__, text=text, missing=missing)
            else:
                say(module=name, state="imported")

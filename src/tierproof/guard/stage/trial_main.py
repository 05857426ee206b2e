"""What a child of an import trial runs, as `python -c` or in a fork. Standard library only.

It imports the warm modules, hears what to try, and says of each module how it went. Each import is announced before
it begins, so that a crash names its module. Where a module to try is loaded already, it says nothing at all.
"""

import importlib
import json
import os
import sys
from collections.abc import Iterator, Mapping, Sequence
from typing import Any


def serve(warm: Sequence[str], ear: int) -> None:
    """Warm up, read one request from the descriptor `ear` to its end, and write the answers to the file it names.

    The request has the `path`, the `modules` and the file `out`; of two children it says also which of the `parts`
    this one is (`part`), and the folder in which the modules are claimed (`claims`).
    """
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
    with open(request["out"], "w", encoding="utf-8") as file:  # noqa: PTH123 - pathlib may be what is tried

        def say(**line: str) -> None:
            file.write(json.dumps(line) + "\n")
            file.flush()

        for name in iterate_modules(request):
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


def iterate_modules(request: Mapping[str, Any]) -> Iterator[str]:
    """Yield the modules that are this child's: of two, those from its end that the other has not claimed.

    The outermost module is claimed beforehand, as the child may still be warming up for it.
    """
    modules: list[str] = request["modules"]
    if request.get("parts", 1) < 2:
        yield from modules
        return
    numbers = range(len(modules) - 1) if request["part"] == 0 else range(len(modules) - 1, 0, -1)
    if len(modules) == 1 and request["part"] == 1:
        numbers = range(1)
    for number in numbers:
        try:
            os.close(os.open(f"{request['claims']}/{number}", os.O_CREAT | os.O_EXCL))
        except FileExistsError:
            return
        yield modules[number]

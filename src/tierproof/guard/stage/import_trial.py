"""Try the imports of added packages in a child process before the live kernel sees them."""

from __future__ import annotations

import json
import signal
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from tierproof.guard.capture.inventory import PackageFiles
from tierproof.guard.generations.install_error import InstallError
from tierproof.guard.system.run_child import run_child
from tierproof.guard.system.scratch_folder import open_scratch_folder

_SUFFIXES = (".so", ".pyd")
_MOST_TOPS = 8

# Standard library only. Each import is announced before it begins, so that a crash names its module.
_CHILD = """
import json, sys
request = json.loads(sys.argv[1])
sys.path[:] = request["path"]
out = open(request["out"], "w", encoding="utf-8")
def say(**line):
    out.write(json.dumps(line) + "\\n"); out.flush()
import importlib
for name in request["modules"]:
    say(module=name, state="begun")
    try:
        importlib.import_module(name)
    except BaseException as error:
        say(module=name, state="failed", type=type(error).__name__, text=str(error)[:2000],
            missing=(getattr(error, "name", None) or "") if isinstance(error, ModuleNotFoundError) else "")
    else:
        say(module=name, state="imported")
"""


@dataclass(frozen=True, slots=True)
class ImportFailure:
    """A module that could not be imported.

    Attributes:
        package: normalised name of its distribution.
        module: what was imported.
        reason: the error's type and message, or how the child process ended.
        missing: the module that was not found, if that was the reason.
    """

    package: str
    module: str
    reason: str
    missing: str = ""


def try_imports(
    modules: Mapping[str, Sequence[str]],
    path: Sequence[str],
    *,
    interpreter: str = sys.executable,
    limit_s: float,
) -> tuple[ImportFailure, ...]:
    """Import modules in one child process with exactly this `sys.path`.

    Args:
        modules: top-level modules by package.
        path: the child's `sys.path`.
        interpreter: path of the child's Python.
        limit_s: seconds for all imports together.

    Raises:
        InstallError: the imports took longer.
    """
    owners = {module: package for package, names in modules.items() for module in names}
    if not owners:
        return ()
    with open_scratch_folder() as folder:
        out = folder / "said"
        request = json.dumps({"path": list(path), "modules": list(owners), "out": str(out)})
        status, words = _run([interpreter, "-c", _CHILD, request], folder, limit_s)
        said = [json.loads(line) for line in _read_lines(out)]
    return _judge(owners, said, status, words)


def find_modules(files: PackageFiles) -> tuple[str, ...]:
    """Return the modules that a package puts at the top, and of namespaces those one step below.

    Private ones are left out where there are others.
    """
    packages = {path.rpartition("/")[0] for path in files.files if path.endswith("/__init__.py")}
    found: dict[str, None] = {}
    for path in files.files:
        folder, _, file = path.rpartition("/")
        if not file.endswith((".py", *_SUFFIXES)) or ".dist-info" in folder:
            continue
        parts = folder.split("/") if folder else []
        top = next(
            ("/".join(parts[:n]) for n in range(1, len(parts) + 1) if "/".join(parts[:n]) in packages), ""
        )
        # The first dot of the file, not of the path: `faiss_cpu.libs/` holds libraries, and no module faiss_cpu.
        module = top or ("/".join([*parts, file.partition(".")[0]]) if len(parts) <= 1 else "")
        if module and all(part.isidentifier() for part in module.split("/")):
            found[module.replace("/", ".")] = None
    shown = [name for name in found if not any(part.startswith("_") for part in name.split("."))]
    return tuple(sorted(shown or found, key=lambda name: (name.count("."), name)))[:_MOST_TOPS]


def _judge(
    owners: Mapping[str, str], said: Sequence[Mapping[str, str]], status: int, words: str
) -> tuple[ImportFailure, ...]:
    failures = []
    ended = {line["module"] for line in said if line["state"] != "begun"}
    for line in said:
        if line["state"] == "failed":
            reason = f"{line['type']}: {line['text']}"
            failures.append(ImportFailure(owners[line["module"]], line["module"], reason, line["missing"]))
    begun = [line["module"] for line in said if line["state"] == "begun" and line["module"] not in ended]
    if begun:
        how = f"signal {signal.Signals(-status).name}" if status < 0 else f"exit status {status}"
        failures.append(ImportFailure(owners[begun[0]], begun[0], f"the import ended the process with {how}"))
    elif not said:
        raise InstallError(f"cannot start the child process for the import trial: {words.strip()[-500:]}")
    return tuple(failures)


def _run(command: Sequence[str], folder: Path, limit_s: float) -> tuple[int, str]:
    ended = run_child(command, folder=folder, limit_s=limit_s)
    if ended.status is None:
        raise InstallError(
            f"the added packages did not import within {limit_s:.0f} seconds in a child process",
            hint="Pass `--no-trial` (or `trial=False`) to skip the trial.",
        )
    return ended.status, ended.words


def _read_lines(path: Path) -> list[str]:
    try:
        lines = path.read_text(encoding="utf-8", errors="replace").splitlines(keepends=True)
    except FileNotFoundError:
        return []
    return [line for line in lines if line.endswith("\n")]

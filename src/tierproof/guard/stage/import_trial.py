"""Try the imports of added packages in a child process before the live kernel sees them."""

from __future__ import annotations

import contextlib
import json
import signal
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tierproof.guard.capture.inventory import PackageFiles
from tierproof.guard.generations.install_error import InstallError
from tierproof.guard.stage import trial_main
from tierproof.guard.system.fork_process import can_fork, fork_process
from tierproof.guard.system.run_child import RunningChild, start_child
from tierproof.guard.system.scratch_folder import open_scratch_folder

_SUFFIXES = (".so", ".pyd")
_MOST_TOPS = 8

# Its stdin is kept from what is imported.
_RUN = """
ear = os.dup(0)
os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
start = json.loads(sys.argv[1])
serve(start["warm"], ear)
"""
_IN_A_FORK_S = 30.0


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


class ImportTrial:
    """One or two child processes that import what the packages rest on while they are fetched, and then the packages.

    Two go through the modules from either end until they meet. In a live kernel they are forks, which have loaded
    what the kernel has. What fails in them, ends them or takes long, and a package of which a module is loaded
    already, is tried in a fresh process, whose answer counts.
    """

    def __init__(
        self, interpreter: str = sys.executable, warm: Sequence[Sequence[str]] = (), *, fork: bool = False
    ) -> None:
        """Start the children, which warm up.

        Args:
            interpreter: path of the children's Python.
            warm: for each child, at most two, modules of the base, which are imported under the path that the
                interpreter starts with. A lone child with nothing to warm is started only when it is needed.
            fork: the packages are for this process: try them in forks of it.
        """
        self._interpreter = interpreter
        self._fork = fork and can_fork()
        self._warm = tuple(warm) if len(warm) > 1 or any(warm) or self._fork else ()
        self._stack = contextlib.ExitStack()
        self._folder = Path()
        self._children: list[RunningChild] = []

    def __enter__(self) -> ImportTrial:
        with contextlib.ExitStack() as stack:
            self._folder = stack.enter_context(open_scratch_folder())
            for warm in self._warm:
                child = self._start_fork(warm) if self._fork else self._start(warm)
                stack.callback(child.end)
                self._children.append(child)
            self._stack = stack.pop_all()
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    def try_imports(
        self, modules: Mapping[str, Sequence[str]], path: Sequence[str], *, limit_s: float
    ) -> tuple[ImportFailure, ...]:
        """Import modules under exactly this `sys.path`.

        Args:
            modules: top-level modules by package, in the order in which they are to be imported.
            path: the child's `sys.path`.
            limit_s: seconds for all imports together.

        Raises:
            InstallError: the imports took longer.
        """
        owners = {module: package for package, names in modules.items() for module in names}
        if not owners:
            return ()
        request = {"path": list(path), "modules": list(owners)}
        if self._try_together(request, min(limit_s, _IN_A_FORK_S) if self._fork else limit_s):
            return ()
        # What failed beside loaded packages is refused only if it fails alone.
        said = self._folder / "alone"
        ended = self._tell(self._start(()), {**request, "out": str(said)}).wait(limit_s)
        if ended.status is None:
            raise InstallError(
                f"nothing was installed: the imports in a child process did not end within {limit_s:.0f} seconds",
                hint="To install them without trying the imports, pass `--no-trial` (or `trial=False`).",
            )
        return _judge(owners, _read_said(said), ended.status, ended.words)

    def _try_together(self, request: Mapping[str, Any], limit_s: float) -> bool:
        """Have the children share the modules; tell whether every one was imported."""
        ends_at = time.monotonic() + limit_s
        shared = {**request, "claims": str(self._folder), "parts": len(self._children)}
        files = [self._folder / f"said-{number}" for number in range(len(self._children))]
        for number, (child, file) in enumerate(zip(self._children, files, strict=True)):
            self._tell(child, {**shared, "part": number, "out": str(file)})
        imported: set[str] = set()
        for child, file in zip(self._children, files, strict=True):
            ended = child.wait(ends_at - time.monotonic())
            said = _read_said(file)
            if ended.status != 0 or any(line["state"] == "failed" for line in said):
                for each in self._children:
                    each.end()
                return False
            imported |= {line["module"] for line in said if line["state"] == "imported"}
        return imported.issuperset(request["modules"])

    @staticmethod
    def _tell(child: RunningChild, request: Mapping[str, Any]) -> RunningChild:
        child.tell(json.dumps(request))
        return child

    def _start(self, warm: Sequence[str]) -> RunningChild:
        code = f"{Path(trial_main.__file__).read_text(encoding='utf-8')}\n{_RUN}"
        command = [self._interpreter, "-c", code, json.dumps({"warm": list(warm)})]
        return start_child(command, folder=self._folder, listening=True)

    def _start_fork(self, warm: Sequence[str]) -> RunningChild:
        try:
            return RunningChild(fork_process(lambda ear: trial_main.serve(warm, ear)))
        except OSError:  # too little memory for another kernel
            return self._start(warm)


def find_modules(files: PackageFiles) -> tuple[str, ...]:
    """Return the modules that a package puts at the top, and of namespaces those one step below.

    Private ones are left out where there are others, and always the names of the standard library: Python finds its
    own modules first, and may have loaded them at its start.
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
        names = module.split("/")
        if module and names[0] not in sys.stdlib_module_names and all(map(str.isidentifier, names)):
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
        raise InstallError(
            f"nothing was installed: the child process for the import trial did not start ({words.strip()[-500:]})",
            hint="To install without trying the imports, pass `--no-trial` (or `trial=False`).",
        )
    return tuple(failures)


def _read_said(path: Path) -> list[dict[str, str]]:
    """Read what a child said; nothing where it could not begin with the modules."""
    try:
        lines = path.read_text(encoding="utf-8", errors="replace").splitlines(keepends=True)
    except FileNotFoundError:
        return []
    return [json.loads(line) for line in lines if line.endswith("\n")]

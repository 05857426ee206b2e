"""Try the imports of added packages in a child process before the live kernel sees them."""

from __future__ import annotations

import contextlib
import json
import signal
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

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
serve(start["out"], start["warm"], ear)
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
    """A child process that imports what the packages rest on while they are fetched, and then the packages.

    In a live kernel it is a fork, which has loaded what the kernel has. What fails in it, ends it or takes long, and
    a package of which a module is loaded already, is tried in a fresh process, whose answer counts.
    """

    def __init__(
        self, interpreter: str = sys.executable, warm: Sequence[str] = (), *, fork: bool = False
    ) -> None:
        """Start the child where there is something to warm.

        Args:
            interpreter: path of the child's Python.
            warm: modules of the base, which are imported under the path that the interpreter starts with.
            fork: the packages are for this process: try them in a fork of it.
        """
        self._interpreter = interpreter
        self._warm = tuple(warm)
        self._fork = fork and can_fork()
        self._stack = contextlib.ExitStack()
        self._folder = Path()
        self._child: RunningChild | None = None

    def __enter__(self) -> ImportTrial:
        with contextlib.ExitStack() as stack:
            self._folder = stack.enter_context(open_scratch_folder())
            if self._warm or self._fork:
                self._child = self._start_fork() if self._fork else self._start(self._warm)
                stack.callback(self._child.end)
            self._stack = stack.pop_all()
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    def try_imports(
        self, modules: Mapping[str, Sequence[str]], path: Sequence[str], *, limit_s: float
    ) -> tuple[ImportFailure, ...]:
        """Import modules under exactly this `sys.path`.

        Args:
            modules: top-level modules by package.
            path: the child's `sys.path`.
            limit_s: seconds for all imports together.

        Raises:
            InstallError: the imports took longer.
        """
        owners = {module: package for package, names in modules.items() for module in names}
        if not owners:
            return ()
        request = json.dumps({"path": list(path), "modules": list(owners)})
        if self._child is not None:
            within_s = min(limit_s, _IN_A_FORK_S) if self._fork else limit_s
            status, words, said = self._hear(self._child, request, within_s)
            if said and status == 0 and all(line["state"] != "failed" for line in said):
                return ()
        # What failed beside loaded packages is refused only if it fails alone.
        status, words, said = self._hear(self._start(()), request, limit_s)
        return _judge(owners, said, status, words)

    def _start(self, warm: Sequence[str]) -> RunningChild:
        start = json.dumps({"warm": list(warm), "out": str(self._out)})
        code = f"{Path(trial_main.__file__).read_text(encoding='utf-8')}\n{_RUN}"
        return start_child([self._interpreter, "-c", code, start], folder=self._folder, listening=True)

    def _start_fork(self) -> RunningChild:
        try:
            return RunningChild(fork_process(lambda ear: trial_main.serve(str(self._out), self._warm, ear)))
        except OSError:  # too little memory for a second kernel
            self._fork = False
            return self._start(self._warm)

    @property
    def _out(self) -> Path:
        return self._folder / "said"

    def _hear(
        self, child: RunningChild, request: str, limit_s: float
    ) -> tuple[int, str, list[dict[str, str]]]:
        """Ask for the imports; what the child said is empty where it could not begin with them."""
        child.tell(request)
        ended = child.wait(limit_s)
        said = [json.loads(line) for line in _read_lines(self._out)]
        self._out.unlink(missing_ok=True)
        if ended.status is None and child is not self._child:
            raise InstallError(
                f"the added packages did not import within {limit_s:.0f} seconds in a child process",
                hint="Pass `--no-trial` (or `trial=False`) to skip the trial.",
            )
        return -1 if ended.status is None else ended.status, ended.words, said


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


def _read_lines(path: Path) -> list[str]:
    try:
        lines = path.read_text(encoding="utf-8", errors="replace").splitlines(keepends=True)
    except FileNotFoundError:
        return []
    return [line for line in lines if line.endswith("\n")]

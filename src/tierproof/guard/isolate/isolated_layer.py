"""The layer of a worker: a folder of packages, named by the hash of its lock, made once and then shared.

<environment folder>/isolated/
    <id>/site/, bin/, data/             modules, console scripts, wheel data
    <id>/inventory.json, pylock.toml    every file with its hash; what was installed
    .making-<random>/                   being made; becomes <id> by one rename
    lock                                held by the process that makes one
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import shutil
import sys
import sysconfig
import tempfile
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from tierproof.core.hash_file import hash_file
from tierproof.guard.capture.inventory import Inventory, PackageFiles, find_damage, parse_inventory
from tierproof.guard.generations.generation import find_digests
from tierproof.guard.generations.install_error import InstallError
from tierproof.guard.isolate.isolated_plan import IsolatedPlan
from tierproof.guard.resolve.index_settings import read_index_settings
from tierproof.guard.resolve.lock import LockedPackage
from tierproof.guard.resolve.pylock import format_pylock, strip_entry
from tierproof.guard.stage.fetch_packages import stage_packages
from tierproof.guard.system.environment_folder import find_environment_folder
from tierproof.guard.system.environment_lock import EnvironmentBusyError, lock_environment

DEFAULT_FETCH_LIMIT_S = 1800.0
_ID_LENGTH = 20
_REFUSED = ("sitecustomize", "usercustomize")
_STRAY = "test"  # many wheels leave their tests at the top by mistake; nobody imports those of Python

Tell = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Layer:
    """A layer on disk.

    Attributes:
        folder: of the layer; None if the base needs no layer for the request.
        made: whether it was made by this call.
    """

    folder: Path | None = None
    made: bool = False

    @property
    def modules(self) -> tuple[str, ...]:
        """Folders to put in front of `sys.path`."""
        return () if self.folder is None else (str(self.folder / "site"),)

    @property
    def programs(self) -> tuple[str, ...]:
        """Folders of console scripts, to put in front of PATH."""
        return (
            () if self.folder is None or not (self.folder / "bin").is_dir() else (str(self.folder / "bin"),)
        )


def prepare_layer(
    planned: IsolatedPlan,
    *,
    interpreter: str = sys.executable,
    allow_build: Collection[str] = (),
    limit_s: float = DEFAULT_FETCH_LIMIT_S,
    environment: Mapping[str, str] | None = None,
    tell: Tell = lambda _: None,
) -> Layer:
    """Find the layer of a plan, or make it. Processes that need the same layer wait for the one that makes it.

    Args:
        planned: the packages that it must hold.
        interpreter: path of the Python that the wheels must fit.
        allow_build: names that may be built from source.
        limit_s: seconds that the download, or the wait for another process's download, may take.
        environment: variables with the index settings; `os.environ` by default.
        tell: called with a short description of each step.

    Raises:
        InstallError: it cannot be fetched, does not match its hashes, or would hide a protected module.
        EnvironmentBusyError: another process was still making a layer after `limit_s`.
        OutputError: the user's data folder cannot be written.
    """
    wanted = [item for item in planned.lock.packages if item.name in planned.names]
    if not wanted:
        return Layer()
    shelf = find_environment_folder() / "isolated"
    folder = shelf / name_layer(wanted)
    if _is_whole(folder):
        return Layer(folder)

    def stage(staging: Path) -> Mapping[str, PackageFiles]:
        return stage_packages(
            planned.lock,
            planned.names,
            staging,
            settings=read_index_settings(environment),
            interpreter=interpreter,
            limit_s=limit_s,
            allow_build=allow_build,
        )

    try:
        shelf.mkdir(exist_ok=True)
        with _take_turn(shelf, limit_s, tell):
            if _is_whole(folder):
                return Layer(folder)
            tell(_describe_fetch(wanted))
            _make(folder, wanted, stage)
    except OSError as error:
        raise InstallError(
            f"cannot write to {shelf}: {error.strerror or error}",
            hint="Set XDG_DATA_HOME (or TIERPROOF_DATA) to a writable folder: packages for `tp.isolated` and "
            "`tierproof run --with` are stored there.",
        ) from error
    return Layer(folder, made=True)


def _make(
    folder: Path, wanted: Collection[LockedPackage], stage: Callable[[Path], Mapping[str, PackageFiles]]
) -> None:
    """Make a layer beside its place and move it there; the caller holds the lock."""
    for leftover in folder.parent.glob(".making-*"):  # of one that was killed
        shutil.rmtree(leftover, ignore_errors=True)
    staging = Path(tempfile.mkdtemp(prefix=".making-", dir=folder.parent))
    try:
        packages = stage(staging)
        _refuse_names(staging / "site")
        lock = format_pylock(strip_entry(item.entry) for item in wanted)
        (staging / "pylock.toml").write_text(lock, encoding="utf-8")
        inventory = Inventory(packages).to_json()
        (staging / "inventory.json").write_text(inventory, encoding="utf-8", errors="surrogateescape")
        _put(staging, folder)
    finally:
        shutil.rmtree(staging, ignore_errors=True)


def _describe_fetch(wanted: Sequence[LockedPackage]) -> str:
    size = sum(item.bytes for item in wanted)
    megabytes = f" ({size / 1e6:.1f} MB)" if size else ""
    named = ", ".join(f"{item.name} {item.version}" for item in wanted[:3])
    return f"fetching {named}{f' and {len(wanted) - 3} more' if len(wanted) > 3 else ''}{megabytes}"


@contextlib.contextmanager
def _take_turn(shelf: Path, limit_s: float, tell: Tell) -> Iterator[None]:
    with contextlib.ExitStack() as stack:
        try:
            stack.enter_context(lock_environment(shelf, limit_s=0))
        except EnvironmentBusyError:
            tell("waiting for another process that installs packages for a worker")
            stack.enter_context(lock_environment(shelf, limit_s=limit_s))
        yield


def name_layer(packages: Collection[LockedPackage]) -> str:
    """Return the id: the same packages for the same kind of interpreter have the same."""
    parts = [sys.implementation.cache_tag or sys.implementation.name, sysconfig.get_platform()]
    for item in sorted(packages, key=lambda item: item.name):
        digests = sorted(find_digests(item.entry)) or [item.url, _hash_local(item.url)]
        parts += [f"{item.name}=={item.version}", *digests]
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()[:_ID_LENGTH]


def _hash_local(url: str) -> str:
    from urllib.parse import urlsplit
    from urllib.request import url2pathname

    path = Path(url2pathname(urlsplit(url).path))
    return hash_file(path) if urlsplit(url).scheme == "file" and path.is_file() else ""


def _is_whole(folder: Path) -> bool:
    """Tell whether a layer is there with every file at its size, and note that it was used."""
    try:
        text = (folder / "inventory.json").read_text(encoding="utf-8", errors="surrogateescape")
        whole = not find_damage(folder, parse_inventory(text), read=False)
        if whole:
            os.utime(folder / "inventory.json")
    except (OSError, ValueError):
        return False
    return whole


def _refuse_names(site: Path) -> None:
    """Refuse modules that would run at every Python start or hide the standard library."""
    for entry in site.iterdir():
        name = entry.name.partition(".")[0]
        importable = entry.suffix in (".py", ".so", ".pyd") or (entry / "__init__.py").exists()
        if importable and name != _STRAY and (name in sys.stdlib_module_names or name in _REFUSED):
            raise InstallError(
                f"refused: the packages contain {entry.name}, which would hide a standard library module or run at "
                "every Python start",
                hint="Nothing was installed. Request a newer version of the package that contains this file.",
            )


def _put(staging: Path, folder: Path) -> None:
    """Return a layer its name; a damaged one that has it goes out of the way first."""
    damaged = staging.with_name(f"{staging.name}-damaged")
    if folder.exists():
        folder.rename(damaged)
    staging.rename(folder)
    shutil.rmtree(damaged, ignore_errors=True)

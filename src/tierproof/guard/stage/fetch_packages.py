"""Downloads the packages of a lock as wheels into a folder and verifies every file."""

from __future__ import annotations

import os
import shutil
import stat
from collections.abc import Collection, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import chain
from pathlib import Path

from tierproof.core.credentials import strip_credentials
from tierproof.core.hash_file import hash_file
from tierproof.guard.capture.installed import InstalledDistribution, iterate_installed
from tierproof.guard.capture.inventory import FileStamp, PackageFiles
from tierproof.guard.capture.record import has_digest, read_record
from tierproof.guard.generations.install_error import InstallError
from tierproof.guard.resolve.index_settings import IndexSettings
from tierproof.guard.resolve.lock import Lock, LockedPackage
from tierproof.guard.resolve.pylock import format_pylock
from tierproof.guard.resolve.run_uv import run_uv
from tierproof.guard.resolve.uv_config import write_uv_config

INSTALLER = "tierproof"
# What wheels call data: uv puts it beside the modules, where it would be importable.
_DATA_FOLDERS = ("share", "etc", "include", "man")
# Where a package came from (PEP 610): uv writes the whole address there.
_ORIGIN = "direct_url.json"
_HASHING_THREADS = 4
_ADVICE = (
    "Nothing was installed. Try again; if that does not help, report the wheel to the package's authors."
)
# Code and libraries grow three- to tenfold when they are unpacked.
_MOST_GROWTH, _LEAST_BOUND_BYTES, _LARGEST_UNTOLD_BYTES = 50, 256 << 20, 16 << 30
_METADATA_FILES = ("RECORD", "REQUESTED", "INSTALLER", "uv_cache.json", "uv_build.json")


def stage_packages(
    lock: Lock,
    names: Collection[str],
    folder: Path,
    *,
    settings: IndexSettings,
    interpreter: str,
    limit_s: float,
    allow_build: Collection[str] = (),
) -> dict[str, PackageFiles]:
    """Install the named packages of a lock into an empty folder, which becomes a generation's folder.

    Afterwards `folder/site` holds the modules, `folder/bin` console scripts and `folder/data` wheel data. Each
    file was compared with its package's RECORD; the metadata then says `INSTALLER=tierproof` and has no RECORD.
    Path files (`.pth`), which Python would run at every start if they lay in a site directory, are left out.

    Args:
        lock: a resolution; hashes that it names are enforced.
        names: normalised names of the packages wanted.
        folder: the empty target folder.
        settings: of the package indexes.
        interpreter: path of the Python that the wheels must fit.
        limit_s: seconds that the download may take.
        allow_build: names that may be built from source; building runs their code.

    Returns:
        the files of each package, by normalised name.

    Raises:
        InstallError: a package cannot be fetched, or does not match the lock or its own RECORD.
    """
    site = folder / "site"
    site.mkdir(parents=True, exist_ok=True)
    wanted = [item for item in lock.packages if item.name in names]
    if not wanted:
        return {}
    outside = folder / "uv"
    outside.mkdir()
    (outside / "pylock.toml").write_text(format_pylock(item.entry for item in wanted), encoding="utf-8")
    _run_uv(site, outside, settings, interpreter, limit_s, allow_build, _bound_file(wanted))
    shutil.rmtree(outside)
    (site / ".lock").unlink(missing_ok=True)  # uv's own
    found = {item.name: item for item in iterate_installed([str(site)])}
    _refuse_other_packages(wanted, found)
    refuse_special_files(folder)
    verified = _verify_records(site, found)
    packages = {}
    for name, distribution in found.items():
        _sign(distribution)
        packages[name] = _move_and_stamp(folder, distribution, verified[name])
    return packages


def _bound_file(wanted: Sequence[LockedPackage]) -> int:
    """How many bytes one file of these packages may have, by what there is to download."""
    if any(item.built or not item.bytes for item in wanted):
        return _LARGEST_UNTOLD_BYTES
    return _LEAST_BOUND_BYTES + _MOST_GROWTH * sum(item.bytes for item in wanted)


def _refuse_other_packages(
    wanted: Sequence[LockedPackage], found: Mapping[str, InstalledDistribution]
) -> None:
    """Refuse a download in which a package is missing or has another version."""
    for item in wanted:
        got = found.get(item.name)
        if got is None or (item.version and got.version != item.version and not item.built):
            raise InstallError(
                f"refused: the download of {item.name} {item.version} contains "
                f"{f'version {got.version}' if got else 'no such package'}",
                hint="Nothing was installed. Report this to the package's authors: the file name of the wheel and its "
                "metadata disagree.",
            )


def refuse_special_files(folder: Path) -> None:
    """Refuse links, devices, sockets, pipes and set-uid files anywhere in `folder`.

    Raises:
        InstallError: the folder contains such a file.
    """
    for path in _iterate_files(folder):
        mode = path.lstat().st_mode
        kind = ""
        if stat.S_ISLNK(mode):
            kind = "a link"
        elif not stat.S_ISREG(mode):
            kind = "a special file"
        elif mode & (stat.S_ISUID | stat.S_ISGID):
            kind = "a set-uid file"
        if kind:
            raise InstallError(
                f"refused: the download contains {kind}, {path.relative_to(folder)}",
                hint="Nothing was installed. Report this to the package's authors: no package needs such a file.",
            )


def _run_uv(
    site: Path,
    outside: Path,
    settings: IndexSettings,
    interpreter: str,
    limit_s: float,
    allow_build: Collection[str],
    largest_file_bytes: int,
) -> None:
    arguments = [
        "pip",
        "install",
        "--quiet",
        "--no-deps",
        "--no-python-downloads",
        "--no-progress",
    ]
    # A hard link into uv's cache would let a write to an installed file change the cache.
    arguments += ["--link-mode", "copy", "--python", interpreter, "--target", str(site)]
    arguments += ["--only-binary", ":all:"]
    for name in sorted(allow_build):
        arguments += ["--no-binary", name]
    arguments += ["--requirements", "pylock.toml", *settings.options, *write_uv_config(settings, outside)]
    answer = run_uv(
        arguments,
        environment=settings.environment,
        folder=outside,
        limit_s=limit_s,
        doing="fetched",
        largest_file_bytes=largest_file_bytes,
    )
    if answer.status != 0:
        reason = answer.words.removeprefix("error: ")
        is_full = "os error 28" in reason or "No space left" in reason
        raise InstallError(
            f"the packages could not be fetched: {reason}",
            hint="Nothing was changed. The disk is full: run `tierproof gc` to remove added packages that are no "
            "longer used."
            if is_full
            else "Nothing was changed. Check the network and the package index, then try again.",
        )


def _verify_records(
    site: Path, found: Mapping[str, InstalledDistribution]
) -> dict[str, dict[str, FileStamp]]:
    """Compare every file with what the RECORDs claim, and give the stamps of each package's files."""
    claims = _collect_claims(found)
    files = {str(path.relative_to(site)): path for path in _iterate_files(site)}
    _refuse_other_files(claims, files)
    stamps = _stamp_all({path: files[path] for path in claims if path in files})
    verified: dict[str, dict[str, FileStamp]] = {name: {} for name in found}
    for path, owners in claims.items():
        stamp = stamps.get(path)
        if stamp is None:
            continue
        digests = [digest for _, digest in owners if digest]
        if digests and not any(_agrees(files[path], stamp, digest) for digest in digests):
            raise InstallError(
                f"refused: {path} does not match the RECORD (list of files and hashes) of {owners[0][0]}",
                hint=_ADVICE,
            )
        for name, _ in owners:
            verified[name][path] = stamp
    return verified


def _collect_claims(found: Mapping[str, InstalledDistribution]) -> dict[str, list[tuple[str, str]]]:
    """Give, for each path that a RECORD names, the packages that name it and the digest that each gives."""
    claims: dict[str, list[tuple[str, str]]] = {}
    for name, distribution in found.items():
        for entry in read_record(distribution.metadata_path):
            path = os.path.normpath(entry.path)
            if path.startswith("..") or os.path.isabs(path):  # noqa: PTH117
                raise InstallError(
                    f"refused: the list of files (RECORD) of {name} names {entry.path}, outside the package",
                    hint=_ADVICE,
                )
            claims.setdefault(path, []).append((name, entry.digest))
    return claims


def _refuse_other_files(claims: Mapping[str, list[tuple[str, str]]], files: Mapping[str, Path]) -> None:
    """Refuse files that no RECORD names, and RECORDs that name what is not there."""
    for path in files:
        if path not in claims and not path.endswith(".pyc"):
            raise InstallError(
                f"refused: the download contains {path}, which is in no package's list of files (RECORD)",
                hint=_ADVICE,
            )
    for path, owners in claims.items():
        if path not in files and not path.endswith((".pyc", "RECORD")):
            raise InstallError(
                f"refused: the list of files (RECORD) of {owners[0][0]} contains {path}, which the download lacks",
                hint=_ADVICE,
            )


def _agrees(path: Path, stamp: FileStamp, digest: str) -> bool:
    import base64

    algorithm, _, expected = digest.partition("=")
    if algorithm != "sha256":
        return has_digest(path, digest)
    return base64.urlsafe_b64encode(bytes.fromhex(stamp.sha256)).decode().rstrip("=") == expected.rstrip("=")


def _stamp_all(files: Mapping[str, Path]) -> dict[str, FileStamp]:
    """Hash every file: in a few threads, each with its share, as one task a file costs more than most files."""

    def stamp(paths: Sequence[str]) -> list[tuple[str, FileStamp]]:
        return [(path, FileStamp(hash_file(files[path]), files[path].stat().st_size)) for path in paths]

    shares = [list(files)[number::_HASHING_THREADS] for number in range(_HASHING_THREADS)]
    with ThreadPoolExecutor(_HASHING_THREADS) as pool:
        return dict(chain.from_iterable(pool.map(stamp, shares)))


def _sign(distribution: InstalledDistribution) -> None:
    """Leave no RECORD, so that pip refuses to uninstall from a generation, say whose it is, and keep no secrets."""
    for name in _METADATA_FILES:
        (distribution.metadata_path / name).unlink(missing_ok=True)
    (distribution.metadata_path / "INSTALLER").write_text(f"{INSTALLER}\n", encoding="utf-8")
    origin = distribution.metadata_path / _ORIGIN
    if origin.exists():
        origin.write_text(strip_credentials(origin.read_text(encoding="utf-8")), encoding="utf-8")


def _move_and_stamp(
    folder: Path, distribution: InstalledDistribution, stamps: Mapping[str, FileStamp]
) -> PackageFiles:
    """Move scripts and data out of the importable folder, drop path files, and list what belongs to the package."""
    site = folder / "site"
    metadata = distribution.metadata_path.name
    files: dict[str, FileStamp] = {}
    scripts: dict[str, FileStamp] = {}
    data: dict[str, FileStamp] = {}
    left_out: list[str] = []
    for path, stamp in stamps.items():
        top, _, rest = path.partition(os.sep)
        if top == metadata and rest in _METADATA_FILES:
            continue
        source = site / path
        relative = path.replace(os.sep, "/")
        if not rest and path.endswith(".pth"):
            left_out.append(path)
            source.unlink(missing_ok=True)
        elif rest and top in ("bin", "Scripts") and not (site / top / "__init__.py").exists():
            scripts[f"bin/{rest}"] = stamp
            _move(source, folder / "bin" / rest)
        elif rest and top in _DATA_FOLDERS and not path.endswith((".py", ".so")):
            data[f"data/{relative}"] = stamp
            _move(source, folder / "data" / path)
        else:
            files[relative] = stamp
    for name in ("INSTALLER", _ORIGIN):  # as `_sign` wrote them
        written = distribution.metadata_path / name
        if written.exists():
            files[f"{metadata}/{name}"] = FileStamp(hash_file(written), written.stat().st_size)
    return PackageFiles(distribution.version, files, scripts, data, tuple(left_out))


def _move(source: Path, target: Path) -> None:
    if not source.exists():  # two packages own it, and the first has moved it
        return
    target.parent.mkdir(parents=True, exist_ok=True)
    source.rename(target)
    folder = source.parent
    while folder.name != "site" and not any(folder.iterdir()):
        folder.rmdir()
        folder = folder.parent


def _iterate_files(folder: Path) -> Iterator[Path]:
    for root, folders, names in os.walk(folder):
        for name in names:
            yield Path(root, name)
        for name in folders:
            if os.path.islink(os.path.join(root, name)):  # noqa: PTH114, PTH118
                yield Path(root, name)

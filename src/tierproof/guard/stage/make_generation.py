"""Make a generation: fetched, verified, tried in a child process, and admitted to the store by one rename."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from packaging.utils import canonicalize_name

from tierproof.core.system_errors import describe_system_error
from tierproof.guard.capture.inventory import PackageFiles
from tierproof.guard.capture.module_collisions import list_yielding
from tierproof.guard.capture.record import read_record
from tierproof.guard.generations.generation import Generation
from tierproof.guard.generations.generation_store import GenerationStore, write_generation
from tierproof.guard.generations.install_error import InstallError
from tierproof.guard.generations.live_path import ChildPath, foresee_path
from tierproof.guard.generations.present_base import PresentBase
from tierproof.guard.resolve.index_settings import read_index_settings
from tierproof.guard.stage.assemble import GenerationContents, link_kept
from tierproof.guard.stage.consent import Consent
from tierproof.guard.stage.fetch_packages import stage_packages
from tierproof.guard.stage.import_trial import ImportFailure, ImportTrial, find_modules
from tierproof.guard.stage.refuse_collisions import refuse_collisions, refuse_names
from tierproof.guard.stage.trial_parts import TrialParts, part_trial
from tierproof.guard.system.stopwatch import Stopwatch


@dataclass(frozen=True, slots=True)
class MakeRequest:
    """The options for making a generation.

    Attributes:
        consent: what the user agreed to.
        limit_s: time limit in seconds, for each of the download and the trial.
        on_step: called with a short description of each step.
        child_path: the `sys.path` of a fresh process.
        in_process: the packages are for this process as well.
    """

    consent: Consent
    limit_s: float
    on_step: Callable[[str], None]
    child_path: ChildPath
    in_process: bool = False


def make_generation(
    request: MakeRequest,
    store: GenerationStore,
    start: PresentBase,
    contents: GenerationContents,
    watch: Stopwatch,
) -> tuple[Generation, tuple[ImportFailure, ...]]:
    """Return the generation; make it if it does not exist yet."""
    known = _find_known(store, contents, tried=request.consent.trial)
    if known is not None:
        watch.lap("stage")
        return known, ()
    staging = store.make_staging()
    try:
        parts = _part_trial(request, start, contents)
        with ImportTrial(start.base.executable, parts.warm, fork=request.in_process) as trial:
            return _make_in(staging, request, store, start, contents, watch, _Trial(trial, parts.order))
    except OSError as error:
        raise InstallError(
            f"cannot store the packages in {store.folder}: {describe_system_error(error)}",
            hint="Nothing was changed. If the disk is full, run `tierproof gc` to remove added packages that are no "
            "longer used.",
        ) from error
    finally:
        shutil.rmtree(staging, ignore_errors=True)


@dataclass(frozen=True, slots=True)
class _Trial:
    """The children that try the imports, and the order of the packages that they were parted by."""

    children: ImportTrial
    order: tuple[str, ...]


def _make_in(
    staging: Path,
    request: MakeRequest,
    store: GenerationStore,
    start: PresentBase,
    contents: GenerationContents,
    watch: Stopwatch,
    trial: _Trial,
) -> tuple[Generation, tuple[ImportFailure, ...]]:
    count = len(contents.fetched)
    request.on_step(f"fetching {count} package{'s' if count != 1 else ''}")
    assert contents.lock is not None
    packages = stage_packages(
        contents.lock,
        contents.fetched,
        staging,
        settings=read_index_settings(),
        interpreter=start.base.executable,
        limit_s=request.limit_s,
        allow_build=request.consent.build,
    )
    watch.lap("stage")
    request.on_step("verifying the downloaded files")
    refuse_names(packages)
    roots = list_base_roots(store, start)
    refuse_collisions(packages, roots, _list_yielding(start, contents.shadows))
    kept = link_kept(store, contents, staging, packages)
    watch.lap("verify")
    failures: tuple[ImportFailure, ...] = ()
    if request.consent.trial:
        request.on_step("trying the imports in a child process")
        failures = _try(staging, request, store, contents, packages, trial)
        watch.lap("trial")
    generation = contents.describe({**kept, **packages}, tried=request.consent.trial)
    write_generation(staging, generation)
    store.admit(staging, generation.id)
    watch.lap("admit")
    return store.read(generation.id), failures


def _part_trial(request: MakeRequest, start: PresentBase, contents: GenerationContents) -> TrialParts:
    """Who warms up for what; nobody where the new packages stand in front of the base, which changes with them."""
    if not request.consent.trial or contents.lock is None or contents.shadows:
        return TrialParts()
    return part_trial(contents.lock, contents.fetched, start.base)


def _find_known(store: GenerationStore, contents: GenerationContents, *, tried: bool) -> Generation | None:
    """Return the generation with these contents if it was made before and is whole."""
    identifier = contents.foresee_id()
    if identifier is None or not (store.path(identifier) / "generation.json").is_file():
        return None
    known = store.read(identifier)
    if not store.is_whole(identifier, read=False):
        return None
    return known if known.tried or not tried else None


def _try(
    staging: Path,
    request: MakeRequest,
    store: GenerationStore,
    contents: GenerationContents,
    packages: Mapping[str, PackageFiles],
    trial: _Trial,
) -> tuple[ImportFailure, ...]:
    """Import every added module, and what depends on a shadowed package, under the path that will be."""
    path = foresee_path(store, staging / "site", contents.position, request.child_path)
    names = dict.fromkeys([*trial.order, *packages])
    modules = {name: find_modules(packages[name]) for name in names if name in packages}
    failures = trial.children.try_imports(modules, path, limit_s=request.limit_s)
    provided = {module for names in modules.values() for module in names}
    requested = {each.name for each in contents.requests} & set(packages)
    grave = [each for each in failures if _is_grave(each, requested, provided, modules)]
    if grave:
        module, package = grave[0].module, grave[0].package
        shown = module if module == package else f"{module} (from {package})"
        raise InstallError(
            f"nothing was installed, because {shown} cannot be imported in this "
            f"environment: {grave[0].reason}",
            hint="If the error names a missing system library, install that library first. To install in spite of the "
            "error, pass `--no-trial` (or `trial=False`).",
        )
    return failures


def _is_grave(
    failure: ImportFailure,
    requested: Collection[str],
    provided: Collection[str],
    modules: Mapping[str, Sequence[str]],
) -> bool:
    """A module that wants something optional which nobody brought is no reason to refuse, unless it is the
    main module of what was asked for.
    """
    optional = bool(failure.missing) and failure.missing.partition(".")[0] not in provided
    is_main = failure.package in requested and failure.module == _find_main(failure.package, modules)
    return is_main or not optional


def _find_main(package: str, modules: Mapping[str, Sequence[str]]) -> str:
    """Return the module that is named as the package (duckdb, beside adbc_driver_duckdb), else the first."""
    names = modules[package]
    return next((name for name in names if canonicalize_name(name) == package), names[0])


def list_base_roots(store: GenerationStore, start: PresentBase) -> list[str]:
    """Return the folders on the path that hold packages of the base."""
    roots = dict.fromkeys(str(item.root) for item in start.base.installed)
    return [root for root in roots if store.find_by_site(root) is None]


def _list_yielding(start: PresentBase, shadows: Collection[str]) -> frozenset[str]:
    return list_yielding(
        (str(item.root), [entry.path for entry in read_record(item.metadata_path)])
        for item in start.base.installed
        if item.name in shadows
    )

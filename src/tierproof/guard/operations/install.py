"""Install: plan, stage, verify, try, activate. The base never changes, and a kill leaves the old or the new state."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field

from tierproof.core.credentials import hide_credentials
from tierproof.guard.capture.installed import InstalledDistribution
from tierproof.guard.capture.loaded_distributions import Loaded
from tierproof.guard.commands.requirement import parse_requirements
from tierproof.guard.generations.activate import Activated, activate, show_in_process
from tierproof.guard.generations.generation import Generation, PastRequest, Position
from tierproof.guard.generations.generation_path_file import (
    choose_path_file,
    find_path_files,
    read_present,
    refuse_foreign,
)
from tierproof.guard.generations.generation_store import GenerationStore
from tierproof.guard.generations.install_error import InstallError
from tierproof.guard.generations.live_path import ChildPath
from tierproof.guard.generations.present_base import PresentBase, capture_present_base
from tierproof.guard.judge.judge_plan import judge_requirements
from tierproof.guard.judge.plan import AddedPackage, Plan, PlanVerdict
from tierproof.guard.judge.protected import is_accelerator
from tierproof.guard.judge.request import Judgement
from tierproof.guard.judge.ways import CALL_IN_KERNEL, RUN_ISOLATED
from tierproof.guard.operations.change_environment import change_environment, changing
from tierproof.guard.operations.receipt import Receipt
from tierproof.guard.stage.assemble import GenerationContents
from tierproof.guard.stage.consent import Consent, require_consent
from tierproof.guard.stage.import_trial import ImportFailure
from tierproof.guard.stage.make_generation import MakeRequest, make_generation
from tierproof.guard.system.environment_folder import find_environment_folder
from tierproof.guard.system.stopwatch import Stopwatch


@dataclass(frozen=True, slots=True)
class InstallRequest:
    """The options of an install.

    Attributes:
        requirements: as typed.
        consent: what the user agreed to.
        find_loaded: finds the loaded ones among the installed packages.
        in_process: make the packages visible in the calling process at once.
        limit_s: time limit in seconds, for each of the resolution, the download and the trial.
        on_step: called with a short description of each step.
    """

    requirements: tuple[str, ...]
    consent: Consent
    find_loaded: Callable[[Sequence[InstalledDistribution]], Loaded]
    in_process: bool
    limit_s: float = 600.0
    on_step: Callable[[str], None] = field(default=lambda _: None)


def install_requirements(request: InstallRequest) -> Receipt:
    """Add packages as a new generation.

    Raises:
        PlanRefused: the plan needs a consent that was not given, or is infeasible; nothing was written.
        InstallError: fetching, verifying, trying or activating failed; the existing installation is unchanged.
        UsageError, PlanError: as for a plan.
    """
    watch = Stopwatch()
    store = GenerationStore(find_environment_folder())
    request.on_step("planning")
    with changing():
        start = capture_present_base(store, request.find_loaded)
    # It starts while the plan is made, but not before: it would count as a process that has loaded packages.
    with ChildPath() as child_path:
        judgement = _judge(request, start)
        watch.lap("plan")
        if judgement.plan.verdict is PlanVerdict.SATISFIED:
            return _confirm(request, store, start, judgement.plan, child_path, watch)
        with change_environment(store):
            watch.lap("wait")
            if not start.session_only and (present := read_present(store)) and present.id != start.id:
                # Another process was first: what it added is part of the base now.
                request.on_step("planning again, because another process has added packages")
                start = capture_present_base(store, request.find_loaded)
                judgement = _judge(request, start)
                watch.lap("plan")
                if judgement.plan.verdict is PlanVerdict.SATISFIED:
                    return _confirm(request, store, start, judgement.plan, child_path, watch)
            return _install_locked(request, store, start, judgement, child_path, watch)


def _judge(request: InstallRequest, start: PresentBase) -> Judgement:
    judgement = judge_requirements(
        request.requirements,
        start.base,
        allow_build=request.consent.build,
        limit_s=request.limit_s,
    )
    require_consent(judgement.plan, request.consent, in_process=request.in_process)
    return judgement


def _confirm(
    request: InstallRequest,
    store: GenerationStore,
    start: PresentBase,
    plan: Plan,
    child_path: ChildPath,
    watch: Stopwatch,
) -> Receipt:
    """Say that nothing has to be added; a kernel gets to see what another process has added since it started."""
    shown = Activated()
    if request.in_process and start.generation is not None and not start.session_only:
        shown = show_in_process(store, start.generation, child_path)
    return Receipt(
        "install",
        start.id,
        start.id,
        restart_needed=shown.restart_needed,
        in_process=request.in_process,
        notes=shown.notes,
        plan=plan,
        parts_s=watch.parts_s,
        duration_s=watch.total_s(),
    )


def _install_locked(
    request: InstallRequest,
    store: GenerationStore,
    start: PresentBase,
    judgement: Judgement,
    child_path: ChildPath,
    watch: Stopwatch,
) -> Receipt:
    contents = _list_contents(request.requirements, start, judgement)
    accelerators = [name for name in contents.fetched if is_accelerator(name)]
    if accelerators:
        raise InstallError(
            f"nothing was installed: tierproof never adds {accelerators[0]} to a running kernel",
            hint=RUN_ISOLATED,
        )
    _refuse_unwritable(contents.position, in_process=request.in_process)
    generation, failures = make_generation(
        MakeRequest(request.consent, request.limit_s, request.on_step, child_path, request.in_process),
        store,
        start,
        contents,
        watch,
    )
    request.on_step("making the packages available")
    activated = activate(
        store,
        generation,
        "install",
        requested=request.requirements,
        in_process=request.in_process,
        child_path=child_path,
    )
    watch.lap("activate")
    versions = generation.versions
    sizes = {item.name: item.bytes for item in judgement.plan.add}
    return Receipt(
        "install",
        generation.id,
        start.id,
        added=tuple(AddedPackage(name, versions[name], sizes.get(name, 0)) for name in contents.fetched),
        path_entry=str(store.site(generation.id)),
        session_only=activated.session_only,
        restart_needed=activated.restart_needed,
        in_process=request.in_process,
        launchers=activated.launchers,
        notes=(
            *activated.notes,
            *_describe_left_out(generation, contents.fetched),
            *(_describe_failure(each) for each in failures),
        ),
        plan=judgement.plan,
        parts_s=watch.parts_s,
        duration_s=watch.total_s(),
    )


def _list_contents(
    requirements: Sequence[str], start: PresentBase, judgement: Judgement
) -> GenerationContents:
    lock, plan = judgement.lock, judgement.plan
    assert lock is not None  # a plan that was consented to has one
    fetched = {item.name for item in plan.add} | {item.name for item in plan.shadows}
    present = start.generation
    kept = () if present is None else tuple(name for name in present.versions if name not in fetched)
    asked = tuple(
        PastRequest(hide_credentials(item.text), item.name, item.specifier)
        for item in parse_requirements(requirements)
    )
    names = {item.name or item.text for item in asked}
    before = () if present is None else present.requests
    before = tuple(item for item in before if (item.name or item.text) not in names)
    waived = {item.package for item in plan.conflicts} if plan.verdict is PlanVerdict.WAIVER else set()
    return GenerationContents(
        tuple(sorted(fetched)),
        kept,
        lock,
        present,
        (*before, *asked),
        tuple(sorted({item.name for item in plan.shadows} | set(present.shadows if present else ()))),
        tuple(sorted(waived | set(present.waived if present else ()))),
    )


def _refuse_unwritable(position: Position, *, in_process: bool) -> None:
    """Find out that nothing can be activated before anything is fetched."""
    file = choose_path_file(position, find_path_files())
    refuse_foreign(file)
    if file is None and not in_process:
        raise InstallError(
            "cannot install other versions of installed packages: they need a user site-packages folder, and this "
            "interpreter has none",
            hint=f"Nothing was changed. {CALL_IN_KERNEL}.",
        )


def _describe_left_out(generation: Generation, fetched: Iterable[str]) -> list[str]:
    packages = generation.inventory.packages
    return [
        f"{path} of {name} was left out, because Python would run it at every start; so {name} does "
        "nothing when Python starts"
        for name in fetched
        for path in packages[name].left_out
    ]


def _describe_failure(failure: ImportFailure) -> str:
    return f"{failure.module} of {failure.package} cannot be imported: {failure.reason}"

"""`tierproof.plan`: what an install would do, here or on a hosted image."""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Sequence
from dataclasses import replace

from tierproof.guard.capture.loaded_distributions import find_loaded_by_live_processes, find_loaded_here
from tierproof.guard.commands.requirement import parse_requirements
from tierproof.guard.generations.generation_store import GenerationStore
from tierproof.guard.generations.present_base import capture_present_base
from tierproof.guard.judge.judge_plan import judge_requested, make_plan
from tierproof.guard.judge.plan import Plan
from tierproof.guard.resolve.plan_error import PlanError
from tierproof.guard.resolve.resolve import DEFAULT_LIMIT_S
from tierproof.guard.system.environment_folder import locate_environment_folder


def plan(
    *requirements: str,
    image: str = "",
    allow_build: Collection[str] = (),
    limit_s: float = DEFAULT_LIMIT_S,
) -> Plan:
    """Plan an install into this interpreter or on a hosted image. Nothing is installed.

    Packages count as loaded if this process has imported them; on an image, if its kernel or the usual imports do.

    Args:
        requirements: `captum`, `"optuna>=4"`, `"ray[tune]"`, `"name @ URL"`, `"./package.whl"`.
        image: `"colab:2026.07-gpu"`, a stored name, or a freeze file; empty for this interpreter.
        allow_build: names of packages that may be built from source; building runs their code.
        limit_s: time limit of one resolution, in seconds.

    Raises:
        UsageError: a requirement or the image cannot be read.
        UnknownPackageError: no package index knows a name.
        PlanError: the index is unreachable or refuses, or the search takes too long.
        MissingPackageError: uv is not installed.
    """
    if image not in ("", "here"):
        return plan_on_image(requirements, image, allow_build=allow_build, limit_s=limit_s)
    start = capture_present_base(GenerationStore(locate_environment_folder()), find_loaded_here)
    return make_plan(requirements, start.base, allow_build=allow_build, limit_s=limit_s)


def plan_here(
    requirements: Sequence[str], *, exclude_newer: str = "", allow_build: Collection[str] = ()
) -> Plan:
    """Plan an install into this environment, with regard to all of its live processes.

    Raises:
        TierproofError: as `plan`.
    """
    from tierproof.api.images.preflight import check_date

    start = capture_present_base(GenerationStore(locate_environment_folder()), find_loaded_by_live_processes)
    requested = parse_requirements(requirements)
    return judge_requested(
        requested, start.base, exclude_newer=check_date(exclude_newer), allow_build=allow_build
    ).plan


def plan_on_image(
    requirements: Sequence[str],
    image: str,
    *,
    python: str = "",
    exclude_newer: str = "",
    offline: bool = False,
    allow_build: Collection[str] = (),
    limit_s: float = DEFAULT_LIMIT_S,
    on_step: Callable[[str], None] = lambda _: None,
) -> Plan:
    """Plan an install on a hosted image: preflight of one set of requirements.

    Raises:
        TierproofError: as `plan`.
    """
    from tierproof.api.images.preflight import check_date, open_images
    from tierproof.guard.commands.pip_command import Action, PipCommand, Program
    from tierproof.images.judge.judge_install import QuestionOptions, judge_install

    started = time.perf_counter()
    parse_requirements(requirements)
    command = PipCommand(Program.PIP, Action.INSTALL, tuple(requirements), text=" ".join(requirements))
    options = QuestionOptions(check_date(exclude_newer), offline, allow_build=allow_build, limit_s=limit_s)
    (opened,) = open_images((image,), python=python, on_step=on_step)
    answer = judge_install(command, opened, options)
    if answer.plan is None:
        raise PlanError(f"no plan could be made: {answer.problem}")
    return replace(answer.plan, duration_s=time.perf_counter() - started)

"""Preflight: whether targets still install on images. Targets and images in, verdicts out."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed

from tierproof.errors import TierproofError
from tierproof.guard.commands.gap import Gap, GapReason
from tierproof.images.base.hosted_base import HostedBase
from tierproof.images.judge.image_answer import BroughtPackage, ImageAnswer, PipForecast
from tierproof.images.judge.judge_install import QuestionOptions, judge_install
from tierproof.images.judge.pip_state import PipState
from tierproof.images.judge.preflight_result import InstallVerdict, Preflight, TargetVerdict
from tierproof.images.read.found_install import FoundInstall, PreflightTarget

# uv's resolver uses one core for most of a question.
_AT_ONCE = 2


def preflight(
    targets: Sequence[PreflightTarget],
    images: Sequence[HostedBase],
    options: QuestionOptions,
    on_progress: Callable[[int, int, str], None] = lambda *_: None,
) -> Preflight:
    """Judge every target on every image.

    The installs of a target run in order: each sees what those before it have added.

    Args:
        targets: what is to be judged.
        images: where.
        options: how the index is asked.
        on_progress: called with the number of answered questions, their total, and the last one.

    Raises:
        BaseException: whatever interrupts it; running questions are stopped.
    """
    started = time.perf_counter()
    total, lock = len(targets) * len(images), threading.Lock()
    done: dict[tuple[int, int], TargetVerdict] = {}

    def judge_on_image(at: int) -> None:
        for number, target in enumerate(targets):
            if stopped.is_set():
                return
            verdict = judge_target(target, images[at], options)
            with lock:
                done[number, at] = verdict
                on_progress(len(done), total, f"{target.name} on {images[at].label}")

    stopped, pool = threading.Event(), ThreadPoolExecutor(_AT_ONCE)
    try:
        for future in as_completed([pool.submit(judge_on_image, at) for at in range(len(images))]):
            future.result()
    finally:
        stopped.set()
        pool.shutdown(wait=False, cancel_futures=True)
    return Preflight(tuple(done[key] for key in sorted(done)), time.perf_counter() - started)


def judge_target(target: PreflightTarget, image: HostedBase, options: QuestionOptions) -> TargetVerdict:
    """Judge one target on one image; an install that cannot be judged is marked as failed."""
    target = target.read_for(image.host)
    judged: list[InstallVerdict] = []
    earlier: dict[str, BroughtPackage] = {}
    state = PipState()
    for found in target.installs:
        if found.skipped:
            judged.append(InstallVerdict(found, ImageAnswer(None, PipForecast())))
            continue
        answer, failed = _answer(found, image, options, tuple(earlier.values()), state)
        judged.append(InstallVerdict(found, answer, failed))
        earlier |= {item.name: item for item in answer.brought}
        state = state.after(answer)
    return TargetVerdict(target, image.label, tuple(judged), _note(image))


def _answer(
    found: FoundInstall,
    image: HostedBase,
    options: QuestionOptions,
    earlier: tuple[BroughtPackage, ...],
    state: PipState,
) -> tuple[ImageAnswer, bool]:
    try:
        return judge_install(found.command, image, options, earlier, state), False
    except TierproofError as error:
        gap = Gap(GapReason.INDEX, found.text, error.message)
        return ImageAnswer(None, PipForecast(gaps=(gap,)), str(error)), True


def _note(image: HostedBase) -> tuple[str, ...]:
    """What of the image could not be known, where it had to be read at all."""
    if not image.is_made:
        return ()
    made, notes = image.made, []
    if made.unread:
        notes.append(
            f"the requirements of {', '.join(made.unread)} could not be read; these packages are treated as having "
            "no requirements"
        )
    if made.skipped:
        notes.append(
            f"{len(made.skipped)} lines of the image's list were skipped, for example {made.skipped[0]}"
        )
    return tuple(notes)

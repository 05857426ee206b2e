"""How requirements install on all stored images."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from tierproof.api.images.preflight import check_date
from tierproof.errors import UsageError
from tierproof.images.base.hosted_base import open_image
from tierproof.images.judge.judge_install import QuestionOptions
from tierproof.images.judge.preflight import preflight
from tierproof.images.read.read_target import read_targets
from tierproof.images.store.image_store import list_images
from tierproof.images.tell.timeline import Timelines, make_timelines


def make_timeline(
    requirements: Sequence[str],
    *,
    hardware: str = "cpu",
    exclude_newer: str = "",
    offline: bool = False,
    on_progress: Callable[[int, int, str], None] = lambda *_: None,
) -> Timelines:
    """Judge each requirement by itself on every stored image of a hardware.

    Args:
        requirements: as typed.
        hardware: `cpu`, `gpu` or `tpu`.
        exclude_newer: a date or time in ISO format.
        offline: use cached answers of any age.
        on_progress: called with the number of answered questions, their total, and the current step.

    Raises:
        UsageError: a requirement cannot be read, or no such image is stored.
    """
    images = [image for image in list_images() if image.hardware == hardware]
    if not images:
        raise UsageError(
            f"no hosted image with the hardware {hardware} is stored on this machine",
            hint="Run `tierproof images sync` once.",
        )
    targets = [target for word in requirements for target in read_targets([word])]
    opened = [open_image(image, lambda step: on_progress(0, 0, step)) for image in images]
    options = QuestionOptions(check_date(exclude_newer), offline)
    found = preflight(targets, opened, options, on_progress)
    return make_timelines(found.results, images, found.duration_s)

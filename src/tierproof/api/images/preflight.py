"""`tierproof.preflight`: would it install on hosted images?"""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence

from tierproof.errors import UsageError
from tierproof.guard.capture.loaded_distributions import find_loaded_by_live_processes
from tierproof.guard.generations.generation_store import GenerationStore
from tierproof.guard.generations.present_base import capture_present_base
from tierproof.guard.system.environment_folder import locate_environment_folder
from tierproof.images.base.hosted_base import HostedBase, open_base, open_image
from tierproof.images.judge.answer_cache import read_instant
from tierproof.images.judge.judge_install import QuestionOptions
from tierproof.images.judge.preflight import preflight as judge
from tierproof.images.judge.preflight_result import Preflight
from tierproof.images.lists.image_index import HERE
from tierproof.images.read.read_target import read_targets
from tierproof.images.store.image_store import list_images
from tierproof.images.store.resolve_image import resolve_image

ALL = "all"


def preflight(
    *targets: str,
    image: str | Sequence[str],
    exclude_newer: str = "",
    allow_build: Collection[str] = (),
    offline: bool = False,
    refresh: bool = False,
) -> Preflight:
    """Check whether requirements, notebooks, requirements files and locks install on hosted images.

    Nothing is installed.

    Args:
        targets: `"captum"`, `"demo.ipynb"`, `"requirements.txt"`, `"pylock.toml"`; requirements are taken together.
        image: `"colab:2026.07-gpu"`, a stored name, a freeze file, `"here"`, `"all"`; or several.
        exclude_newer: a date or time in ISO format; later uploads are ignored.
        allow_build: names of packages that may be built from source; building runs their code.
        offline: use cached answers of any age, and no network.
        refresh: ignore cached answers.

    Raises:
        UsageError: a target or an image cannot be read.
    """
    images = (image,) if isinstance(image, str) else tuple(image)
    return judge_on_images(
        targets,
        images,
        exclude_newer=exclude_newer,
        allow_build=allow_build,
        offline=offline,
        refresh=refresh,
    )


def judge_on_images(
    targets: Sequence[str],
    images: Sequence[str],
    *,
    python: str = "",
    exclude_newer: str = "",
    allow_build: Collection[str] = (),
    offline: bool = False,
    refresh: bool = False,
    on_progress: Callable[[int, int, str], None] = lambda *_: None,
) -> Preflight:
    """As `preflight`.

    Args:
        targets: as typed.
        images: as typed.
        python: of a freeze file among the images.
        exclude_newer: a date or time in ISO format.
        allow_build: names that may be built from source.
        offline: use cached answers of any age.
        refresh: ignore cached answers.
        on_progress: called with the number of answered questions, their total, and the current step.

    Raises:
        UsageError: a target, an image or the date cannot be read.
    """
    options = QuestionOptions(check_date(exclude_newer), offline, refresh, allow_build)
    read = read_targets(targets)
    opened = open_images(images, python=python, on_step=lambda step: on_progress(0, 0, step))
    return judge(read, opened, options, on_progress)


def open_images(
    names: Sequence[str], *, python: str = "", on_step: Callable[[str], None] = lambda _: None
) -> list[HostedBase]:
    """Open the images that were named, each once.

    Raises:
        UsageError: one cannot be read, or none is stored where all are asked for.
    """
    opened: dict[str, HostedBase] = {}
    for name in names:
        if name == HERE:
            store = GenerationStore(locate_environment_folder())
            opened[name] = open_base(capture_present_base(store, find_loaded_by_live_processes).base)
        elif name == ALL:
            stored = list_images()
            if not stored:
                raise UsageError(
                    "no hosted image is stored on this machine", hint="Run `tierproof images sync` once."
                )
            opened |= {image.label: open_image(image, on_step) for image in stored}
        else:
            image = resolve_image(name, python=python)
            opened[image.label] = open_image(image, on_step)
    return list(opened.values())


def check_date(text: str) -> str:
    """Give a date that uv understands, or the empty text as it is.

    Raises:
        UsageError: it is none.
    """
    try:
        if text:
            read_instant(text)
    except ValueError as error:
        raise UsageError(
            f"{text!r} is not a date", hint="Write the date as in --exclude-newer 2026-11-01."
        ) from error
    return text

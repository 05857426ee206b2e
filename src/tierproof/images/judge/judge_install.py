"""Judge one install on one image: what pip would do, and what tierproof would."""

from __future__ import annotations

import datetime as dt
import os
from collections.abc import Collection, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from functools import cached_property

from tierproof._version import __version__
from tierproof.core.credentials import hide_credentials
from tierproof.guard.capture.base import Base
from tierproof.guard.commands.pip_command import PipCommand
from tierproof.guard.foresee.command_wish import Wish, read_settings, read_wish
from tierproof.guard.foresee.foresee_pip import foresee
from tierproof.guard.foresee.foreseen import Foreseen
from tierproof.guard.foresee.name_requests import choose_newest
from tierproof.guard.judge.judge_plan import judge_requested
from tierproof.guard.judge.mark_unknown import mark_unknown
from tierproof.guard.judge.request import Judgement
from tierproof.guard.judge.shadow import list_changed
from tierproof.guard.resolve.index_settings import IndexSettings, read_index_settings, stamp_local_places
from tierproof.guard.resolve.locked_requires import read_locked_requires
from tierproof.guard.resolve.plan_error import PlanError, UnknownPackageError
from tierproof.guard.resolve.resolve import DEFAULT_LIMIT_S
from tierproof.images.base.hosted_base import HostedBase
from tierproof.images.judge.answer_cache import AnswerCache, is_fresh, make_key, mark_stale
from tierproof.images.judge.image_answer import BroughtPackage, ImageAnswer, PipForecast
from tierproof.images.judge.judge_at_once import judge_at_once, judge_installers, leave_out_installers
from tierproof.images.judge.pip_state import PipState, make_distribution

_AT_ONCE = 8
_UNTOUCHED = PipState()
_INDEX_OPTIONS = ("index-url", "extra-index-url", "find-links", "no-index", "pre")


@dataclass(frozen=True)
class QuestionOptions:
    """How the index is asked.

    Attributes:
        exclude_newer: a day or an instant in ISO format; what was uploaded later does not count.
        offline: use stored answers of any age, and do not contact the index.
        refresh: ignore stored answers.
        allow_build: names that may be built from source.
        limit_s: seconds that one resolution may take.
        environment: where index settings are read.
        cache: of answers.
    """

    exclude_newer: str = ""
    offline: bool = False
    refresh: bool = False
    allow_build: Collection[str] = ()
    limit_s: float = DEFAULT_LIMIT_S
    environment: Mapping[str, str] = field(default_factory=lambda: os.environ)
    cache: AnswerCache = field(default_factory=AnswerCache)


@dataclass(frozen=True)
class _Question:
    """One command on one image, after what earlier ones brought."""

    command: PipCommand
    image: HostedBase
    earlier: tuple[BroughtPackage, ...]
    state: PipState
    options: QuestionOptions

    @cached_property
    def wish(self) -> Wish:
        return read_wish(self.command)

    @cached_property
    def key(self) -> str:
        """Names all that the answer rests on but the index; empty where it also rests on what may change."""
        wish, command = self.wish, self.command
        if not self.image.content or any(
            item.line.count("file:") for item in (*wish.resolvable, *wish.built)
        ):
            return ""
        settings = self.settings
        return make_key(
            __version__,
            self.image.content,
            self.earlier,
            self.state,
            [item.line for item in wish.resolvable],
            [item.line for item in wish.built],
            wish.constraints,
            wish.gaps,
            replace(command, text="", folder=""),
            settings.index_urls,
            settings.find_links,
            stamp_local_places(settings),
            settings.no_index,
            self.options.exclude_newer,
            sorted(self.options.allow_build),
        )

    @cached_property
    def settings(self) -> IndexSettings:
        """Where tierproof looks: what is configured for it, unless the command itself names an index."""
        command, given = self.command, self.wish.options.read_options
        names_index = command.index_url or command.extra_index_urls or command.find_links or command.no_index
        if names_index or command.prereleases or any(given.has(name) for name in _INDEX_OPTIONS):
            return read_settings(command, self.wish.options, self.options.environment)
        return read_index_settings(self.options.environment)

    @property
    def on_pypi(self) -> bool:
        settings = self.settings
        return len(settings.index_urls) == 1 and settings.defaults_to_pypi and not settings.find_links

    @property
    def is_public(self) -> bool:
        settings = self.settings
        places = (*settings.index_urls, *settings.find_links)
        known = stamp_local_places(settings) is not None  # then the key changes with them
        return known and not any(place.startswith("http://") for place in places)


def judge_install(
    command: PipCommand,
    image: HostedBase,
    options: QuestionOptions,
    earlier: tuple[BroughtPackage, ...] = (),
    state: PipState = _UNTOUCHED,
) -> ImageAnswer:
    """Return the stored answer if it is fresh, else ask the index.

    Args:
        command: as read.
        image: to judge it on.
        options: how.
        earlier: what the installs before it have brought, each by its plan.
        state: what pip has left behind after the commands before it, as written.

    Raises:
        PlanError: the index cannot be asked, and no answer is stored.
        UsageError: a requirement cannot be read.
    """
    question = _Question(command, image, earlier, state, options)
    kept = options.cache.get(question.key) if question.key else None
    now = dt.datetime.now(dt.UTC)
    if kept is not None and not options.refresh:
        if is_fresh(
            kept,
            now,
            on_pypi=question.on_pypi,
            exclude_newer=options.exclude_newer,
            is_public=question.is_public and not options.offline,
        ):
            return kept
        if options.offline:
            return mark_stale(kept, "with --offline, the package index was not asked")
    if options.offline:
        raise PlanError(
            f"no answer is stored for {hide_credentials(command.text)!r} on {image.label}",
            hint="Run the command once without `--offline`: the answer is then stored.",
        )
    try:
        answer = replace(_ask(question), answered_at=now.isoformat(timespec="seconds"))
    except UnknownPackageError:
        raise
    except PlanError as error:
        if kept is None:
            raise
        return mark_stale(kept, f"asking the package index again failed: {error.message}")
    if question.key and not image.made.unread:
        options.cache.put(question.key, answer)
    return answer


def _ask(question: _Question) -> ImageAnswer:
    command, options = question.command, question.options
    own = question.image.base
    foreseen = foresee(
        command,
        question.state.apply(own),
        limit_s=options.limit_s,
        environment=options.environment,
        exclude_newer=options.exclude_newer,
        allow_build=options.allow_build,
    )
    changes = tuple(each for each in foreseen.changes if each.name in own.by_name)
    answer = ImageAnswer(
        None,
        PipForecast.of(replace(foreseen, changes=changes)),
        left=_list_left(foreseen, options),
        removed=tuple(change.name for change in foreseen.changes if not change.version),
    )
    if (plan := judge_at_once(command, foreseen, own)) is not None:
        return replace(answer, plan=plan)
    base = _add(own, question.earlier)
    wish = question.wish
    requested = leave_out_installers((*wish.resolvable, *wish.built), base)
    if not requested:
        plan = judge_installers(len(wish.resolvable), wish.gaps, base)
        return replace(answer, plan=plan)
    judgement = judge_requested(
        choose_newest(requested, foreseen),
        base,
        allow_build=options.allow_build,
        limit_s=options.limit_s,
        settings=question.settings,
        exclude_newer=options.exclude_newer,
        constraints=wish.constraints,
        dependencies=not command.no_deps,
        wheels_only=command.wheels_only,
    )
    plan = mark_unknown(judgement.plan, wish.gaps) if wish.gaps else judgement.plan
    return replace(answer, plan=plan, brought=_list_brought(judgement, base, options))


def _list_left(foreseen: Foreseen, options: QuestionOptions) -> tuple[BroughtPackage, ...]:
    """Give what pip leaves on disk, with what it declares; of what is built, as far as that is known."""
    with ThreadPoolExecutor(_AT_ONCE) as pool:
        declared = pool.map(
            lambda item: read_locked_requires(item, options.environment) or (), foreseen.brought
        )
        return tuple(
            BroughtPackage(item.name, item.version, tuple(str(each) for each in requires))
            for item, requires in zip(foreseen.brought, declared, strict=True)
            if item.version
        )


def _list_brought(judgement: Judgement, base: Base, options: QuestionOptions) -> tuple[BroughtPackage, ...]:
    """Give what an install in the kernel would bring; what runs isolated brings it nothing."""
    plan, lock = judgement.plan, judgement.lock
    if lock is None or plan.verdict.value not in ("additive", "shadow"):
        return ()
    changed = set(list_changed(lock, base))
    return tuple(
        BroughtPackage(
            item.name,
            item.version,
            tuple(str(each) for each in read_locked_requires(item, options.environment) or ()),
        )
        for item in lock.packages
        if item.version and (item.name not in base.by_name or item.name in changed)
    )


def _add(base: Base, brought: tuple[BroughtPackage, ...]) -> Base:
    """Give the base with what earlier installs brought; that nobody has loaded it yet is taken for granted."""
    if not brought:
        return base
    names = frozenset(item.name for item in brought)
    new = tuple(make_distribution(item) for item in brought)
    return replace(
        base,
        installed=(*(item for item in base.installed if item.name not in names), *new),
        added=base.added | names,
        replaceable=base.replaceable | names,
    )

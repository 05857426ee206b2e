"""An image of three packages, and installs on it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from guard.wheelhouse import Wheelhouse
from tierproof.guard.commands.pip_command import parse_pip_commands
from tierproof.images.base.hosted_base import HostedBase
from tierproof.images.base.image_base import make_image_base
from tierproof.images.base.requires_cache import RequiresCache
from tierproof.images.judge.answer_cache import AnswerCache
from tierproof.images.judge.image_answer import ImageAnswer
from tierproof.images.judge.judge_install import QuestionOptions, judge_install
from tierproof.images.judge.preflight import judge_target
from tierproof.images.judge.preflight_result import TargetVerdict
from tierproof.images.lists.image_index import Image
from tierproof.images.read.found_install import FoundInstall, PreflightTarget, TargetKind, UnreadInstall


def options(house: Wheelhouse, **changed: object) -> QuestionOptions:
    environment = {**house.environment, "PIP_INDEX_URL": house.url, "PIP_CONFIG_FILE": "/dev/null"}
    environment.pop("UV_DEFAULT_INDEX")
    given = QuestionOptions(environment=environment, cache=AnswerCache(house.folder / "answers"))
    return replace(given, **changed)  # type: ignore[arg-type]


def open_test_image(
    house: Wheelhouse, lines: Sequence[str] = ("numb==1.0", "pand==1.0", "wide==1.0")
) -> HostedBase:
    path = house.folder / "image.txt"
    path.write_text("\n".join(lines))

    def make() -> object:
        return make_image_base(
            Image("test:1", "cpu", path, "3.12.12", "Ubuntu 22.04.5 LTS"),
            loaded=("numb",),
            environment=options(house).environment,
            cache=RequiresCache(house.folder / "requires.json"),
        )

    return HostedBase("test:1", "content of test:1", make)  # type: ignore[arg-type]


def target(*commands: str, unread: Sequence[UnreadInstall] = ()) -> PreflightTarget:
    found = [FoundInstall(each, each.text) for text in commands for each in parse_pip_commands(text, {})]
    return PreflightTarget("demo", TargetKind.NOTEBOOK, tuple(found), tuple(unread))


def judge(house: Wheelhouse, command: str, **changed: object) -> ImageAnswer:
    (parsed,) = parse_pip_commands(command, {})
    return judge_install(parsed, open_test_image(house), options(house, **changed))


def verdict_of(house: Wheelhouse, *commands: str, **changed: object) -> TargetVerdict:
    return judge_target(target(*commands), open_test_image(house), options(house, **changed))


def added(answer: ImageAnswer) -> list[str]:
    assert answer.plan is not None
    return [f"{item.name} {item.version}" for item in answer.plan.add]

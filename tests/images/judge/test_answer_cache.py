"""Answers about images are kept, told by their age, and asked for again."""

from __future__ import annotations

import datetime as dt
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from guard.wheelhouse import Wheelhouse
from images.judge.small_image import added, judge, options, verdict_of
from loopback import serve
from tierproof.guard.commands.gap import Gap, GapReason
from tierproof.guard.commands.pip_command import parse_pip_commands
from tierproof.guard.foresee.foreseen import Change
from tierproof.guard.judge.plan import (
    AddedPackage,
    AgedPackage,
    Conflict,
    Plan,
    PlanVerdict,
    ReusedPackage,
    ShadowedPackage,
)
from tierproof.guard.resolve.plan_error import PlanError
from tierproof.images.base.hosted_base import HostedBase
from tierproof.images.judge.answer_cache import AnswerCache, is_fresh, make_key
from tierproof.images.judge.image_answer import BroughtPackage, ImageAnswer, PipForecast
from tierproof.images.judge.judge_install import judge_install

pytest.importorskip("uv")
NOW = dt.datetime(2026, 11, 1, 12, tzinfo=dt.UTC)


def test_the_same_again_is_answered_without_asking(house: Wheelhouse) -> None:
    first = verdict_of(house, "pip install capt", "pip install gets")
    assert not any(each.answer.kept for each in first.installs)
    (command,) = parse_pip_commands("pip install capt", {})
    away = HostedBase("test:1", "content of test:1", lambda: pytest.fail("nothing needs to be asked"))
    assert judge_install(command, away, options(house)).kept
    again = verdict_of(house, "pip install capt", "pip install gets")
    assert all(each.answer.kept for each in again.installs)
    assert again.to_text() == first.to_text()


def test_the_index_over_http_moves_on(house: Wheelhouse) -> None:
    with serve() as site:
        publish(house, site.pages)
        web = options(house).environment | {"PIP_INDEX_URL": f"{site.url}/simple", "UV_HTTP_RETRIES": "0"}
        assert added(judge(house, "pip install capt", environment=web)) == ["capt 0.9"]
        house.add("capt", "1.0", "numb>=1")
        publish(house, site.pages)
        assert added(judge(house, "pip install capt", environment=web)) == ["capt 1.0"]
        site.pages.clear()
        site.pages.update({f"/simple/{name}/": 503 for name in ("capt", "numb")})
        answer = judge(house, "pip install capt", environment=web)
        assert answer.kept
        assert added(answer) == ["capt 1.0"]
        assert answer.plan is not None
        assert "asking the package index again failed" in answer.plan.explanation
        with pytest.raises(PlanError):
            judge(house, "pip install gets", environment=web)


def publish(house: Wheelhouse, pages: dict[str, bytes | int]) -> None:
    for folder in (house.folder / "simple").iterdir():
        pages[f"/simple/{folder.name}/"] = (folder / "index.html").read_bytes()
        pages.update(
            {f"/simple/{folder.name}/{file.name}": file.read_bytes() for file in folder.glob("*.whl")}
        )


def test_offline_gives_what_was_kept_and_says_how_old_it_is(house: Wheelhouse) -> None:
    with pytest.raises(PlanError, match="no answer is stored"):
        judge(house, "pip install capt", offline=True)
    judge(house, "pip install capt")
    image = HostedBase(
        "test:1", "content of test:1", lambda: pytest.fail("an answer that was kept needs no base")
    )
    (command,) = parse_pip_commands("pip install capt", {})
    answer = judge_install(command, image, options(house, offline=True))
    assert answer.kept
    assert answer.plan is not None
    assert "Stored answer of 20" in answer.plan.explanation
    with pytest.raises(PlanError):
        judge_install(command, replace_content(image), options(house, offline=True))
    with pytest.raises(PlanError):
        judge_install(command, image, options(house, offline=True, exclude_newer="2026-01-01"))


def replace_content(image: HostedBase) -> HostedBase:
    return HostedBase(image.label, "another content", image.make)


def test_a_damaged_answer_counts_as_none(house: Wheelhouse) -> None:
    judge(house, "pip install capt")
    (path,) = (house.folder / "answers").rglob("*.json")
    for text in (
        "",
        "{",
        "[]",
        '{"format": 1}',
        path.read_text()[:-20],
        path.read_text().replace("additive", "nice"),
    ):
        path.write_text(text)
        with pytest.raises(PlanError, match="no answer is stored"):
            judge(house, "pip install capt", offline=True)
    judge(house, "pip install capt")
    assert judge(house, "pip install capt", offline=True).kept


@pytest.mark.parametrize(
    ("age_s", "on_pypi", "exclude_newer", "fresh"),
    [
        (10, True, "", True),
        (599, True, "", True),
        (601, True, "", False),
        (-5, True, "", False),
        (10, False, "", False),
        (10_000_000, True, "2026-01-01", True),
        (10_000_000, False, "2026-01-01", False),
        (700, True, "2026-11-01", False),  # that day is not over
        (700, True, "2026-10-31T12:00:00Z", True),
        (700, True, "nonsense", False),
    ],
)
def test_how_long_an_answer_is_fresh(age_s: int, on_pypi: bool, exclude_newer: str, fresh: bool) -> None:
    answered = (NOW - dt.timedelta(seconds=age_s)).isoformat()
    answer = ImageAnswer(None, PipForecast(), answered_at=answered)
    assert is_fresh(answer, NOW, on_pypi=on_pypi, exclude_newer=exclude_newer) is fresh


WORDS = st.text(alphabet="abc1.", min_size=1, max_size=5)
GAPS = st.builds(Gap, st.sampled_from(GapReason), WORDS, WORDS)
PLANS = st.builds(
    Plan,
    st.lists(WORDS, max_size=2).map(tuple),
    WORDS,
    st.sampled_from(PlanVerdict),
    st.lists(st.builds(AddedPackage, WORDS, WORDS, st.integers(0, 9)), max_size=2).map(tuple),
    st.lists(st.builds(ReusedPackage, WORDS, WORDS), max_size=2).map(tuple),
    st.lists(st.builds(ShadowedPackage, WORDS, WORDS, WORDS, st.just(("a",))), max_size=2).map(tuple),
    st.lists(st.builds(Conflict, WORDS, WORDS, WORDS, WORDS), max_size=2).map(tuple),
    st.lists(st.builds(AgedPackage, WORDS, WORDS, WORDS), max_size=2).map(tuple),
    st.lists(WORDS, max_size=2).map(tuple),
    WORDS,
    st.floats(0, 9),
    st.lists(GAPS, max_size=2).map(tuple),
    st.none() | st.sampled_from(PlanVerdict),
    st.lists(WORDS, max_size=2).map(tuple),
)
ANSWERS = st.builds(
    ImageAnswer,
    st.none() | PLANS,
    st.builds(
        PipForecast,
        st.lists(st.builds(Change, WORDS, WORDS, WORDS, st.booleans()), max_size=2).map(tuple),
        st.lists(WORDS, max_size=2).map(tuple),
        WORDS,
        st.lists(GAPS, max_size=2).map(tuple),
        WORDS,
    ),
    WORDS,
    st.lists(st.builds(BroughtPackage, WORDS, WORDS, st.just(("b",))), max_size=2).map(tuple),
    st.lists(st.builds(BroughtPackage, WORDS, WORDS, st.just(())), max_size=2).map(tuple),
    st.lists(WORDS, max_size=2).map(tuple),
    WORDS,
)


@given(ANSWERS)
def test_an_answer_comes_back_as_it_was_kept(
    tmp_path_factory: pytest.TempPathFactory, answer: ImageAnswer
) -> None:
    cache = AnswerCache(tmp_path_factory.mktemp("answers"))
    cache.put("abcd", answer)
    assert cache.get("abcd") == replace(answer, kept=True)
    assert cache.get("abce") is None


def test_keys_differ_with_every_part() -> None:
    assert (
        len(
            {make_key("a", "b"), make_key("ab"), make_key("a", "c"), make_key("b", "a"), make_key(("a", "b"))}
        )
        == 5
    )

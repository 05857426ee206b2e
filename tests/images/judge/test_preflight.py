"""Installs judged on images, on an index made here."""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from guard.wheelhouse import Wheelhouse
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
from tierproof.guard.resolve.plan_error import PlanError, UnknownPackageError
from tierproof.images.base.hosted_base import HostedBase
from tierproof.images.base.image_base import make_image_base
from tierproof.images.base.requires_cache import RequiresCache
from tierproof.images.judge.answer_cache import AnswerCache, is_fresh, make_key
from tierproof.images.judge.image_answer import BroughtPackage, ImageAnswer, PipForecast
from tierproof.images.judge.judge_install import QuestionOptions, judge_install
from tierproof.images.judge.preflight import judge_target, preflight
from tierproof.images.judge.preflight_result import Preflight, TargetVerdict
from tierproof.images.lists.image_index import Image
from tierproof.images.read.found_install import FoundInstall, PreflightTarget, TargetKind, UnreadInstall

pytest.importorskip("uv")
NOW = dt.datetime(2026, 11, 1, 12, tzinfo=dt.UTC)


@pytest.fixture
def house(tmp_path: Path) -> Wheelhouse:
    house = Wheelhouse(tmp_path / "house")
    for version in ("1.0", "2.0"):
        house.add("numb", version)
        house.add("wide", version)
    house.add("pand", "1.0", "numb<2")
    house.add("capt", "0.9", "numb>=1")
    house.add("needy", "1.0", "numb>=2")
    house.add("gets", "1.0", "wide>=2")
    house.add("native", "1.0", tag="cp310-cp310-manylinux_2_17_x86_64")
    house.add("over", "1.0", "capt==0.9")
    house.add("other", "1.0", "capt<0.9")
    house.add("capt", "0.8", "numb>=1")
    return house


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


@pytest.mark.parametrize(
    ("command", "verdict", "replaced"),
    [
        ("pip install capt", PlanVerdict.ADDITIVE, []),
        ("pip install numb", PlanVerdict.SATISFIED, []),
        ("pip install numb==2.0", PlanVerdict.ISOLATED, ["numb 1.0 -> 2.0"]),
        ("pip install -U numb", PlanVerdict.ISOLATED, ["numb 1.0 -> 2.0"]),
        ("pip install -U wide", PlanVerdict.SHADOW, ["wide 1.0 -> 2.0"]),
        ("pip install gets", PlanVerdict.SHADOW, ["wide 1.0 -> 2.0"]),
        ("pip install native", PlanVerdict.INFEASIBLE, []),
        ("pip install 'capt ; python_version < \"3\"'", PlanVerdict.SATISFIED, []),
        ("pip install 'capt<0.9'", PlanVerdict.ADDITIVE, []),
    ],
)
def test_verdicts_beside_what_pip_does(
    house: Wheelhouse, command: str, verdict: PlanVerdict, replaced: list[str]
) -> None:
    answer = judge(house, command)
    assert answer.plan is not None
    assert answer.plan.verdict is verdict
    assert [change.describe() for change in answer.pip.replaced] == replaced
    assert answer.plan.base == "test:1"


def test_a_shadow_names_the_bound_behind_it(house: Wheelhouse) -> None:
    plan = judge(house, "pip install gets").plan
    assert plan is not None
    assert plan.conflicts == (Conflict("wide", "1.0", ">=2", "gets"),)
    assert "gets needs wide ≥ 2; the image has 1.0" in plan.explanation


def test_constraints_hold(house: Wheelhouse, tmp_path: Path) -> None:
    (tmp_path / "bounds.txt").write_text("capt<0.9\n")
    answer = judge(house, f"pip install capt -c {tmp_path / 'bounds.txt'}")
    assert answer.plan is not None
    assert answer.plan.add == (AddedPackage("capt", "0.8", answer.plan.add[0].bytes),)


def test_nobody_knows_the_name(house: Wheelhouse) -> None:
    with pytest.raises(UnknownPackageError, match="'nosuch'"):
        judge(house, "pip install nosuch")
    verdict = judge_target(
        target("pip install capt", "pip install nosuch"), open_test_image(house), options(house)
    )
    assert (verdict.verdict, verdict.exit_code) == ("unknown", 2)
    assert verdict.installs[0].answer.plan is not None


def test_an_install_rests_on_those_before(house: Wheelhouse) -> None:
    image = open_test_image(house)
    verdict = judge_target(
        target("pip install capt", "pip install over", "pip install capt"), image, options(house)
    )
    plans = [each.answer.plan for each in verdict.installs]
    assert [plan and plan.verdict.value for plan in plans] == ["additive", "additive", "satisfied"]
    assert plans[1] is not None
    assert plans[1].add == (AddedPackage("over", "1.0", plans[1].add[0].bytes),)
    # What was brought and nobody has loaded may still change, as in a kernel.
    changed = judge_target(target("pip install capt", "pip install other"), image, options(house))
    assert changed.verdict == "additive"


def verdict_of(house: Wheelhouse, *commands: str, **changed: object) -> TargetVerdict:
    return judge_target(target(*commands), open_test_image(house), options(house, **changed))


@pytest.mark.parametrize(
    ("command", "verdict", "exit_code"),
    [
        ("pip uninstall -y numb", "isolated", 1),
        ("pip uninstall -y pand", "satisfied", 0),
        ("pip uninstall -y absent", "satisfied", 0),
        ("conda install -y capt", "unknown", 2),
        ("conda install -n mine capt", "satisfied", 0),
        ("mamba env update -f environment.yml", "unknown", 2),
        ("uv sync", "unknown", 2),
        ("pip install --target /content/lib numb==2.0", "satisfied", 0),
        ("pip install --target /usr/local/lib/python3.12/dist-packages numb==2.0", "unknown", 2),
        ("/content/venv/bin/pip install numb==2.0", "satisfied", 0),
        ("source venv/bin/activate && pip install numb==2.0", "satisfied", 0),
        (". venv/bin/activate; deactivate; pip install numb==2.0", "isolated", 1),
        ("python3.10 -m pip install numb==2.0", "satisfied", 0),
        ("python3.12 -m pip install numb==2.0", "isolated", 1),
        ("/usr/local/bin/pip3 install numb==2.0", "isolated", 1),
        ("pip install early", "infeasible", 1),
        ("pip install late", "infeasible", 1),
        ("pip install alone", "unknown", 2),
        ("pip install --only-binary :all: alone", "infeasible", 1),
        ("pip install git+https://example.invalid/o/capt", "unknown", 2),
        ("pip install -r missing.txt capt", "unknown", 2),
        ("pip install 'capt=0.9'", "unknown", 2),
        ("pip install --no-deps needy", "additive", 0),
        ("pip install needy", "waiver", 1),
        ("pip install capt --force-reinstall", "isolated", 1),
        ("pip install -U --upgrade-strategy eager capt", "isolated", 1),
    ],
)
def test_every_command_gets_the_verdict_that_it_earns(
    house: Wheelhouse, tmp_path: Path, command: str, verdict: str, exit_code: int
) -> None:
    house.add("early", "1.0", requires_python="<3.12")
    house.add("late", "1.0", requires_python=">=3.99")
    house.add_source("alone", "1.0", tmp_path / "built", ["capt"])
    found = verdict_of(house, command)
    assert (found.verdict, found.exit_code) == (verdict, exit_code), found.to_text()
    assert found.target.installs[0].text in found.to_text()
    assert bool(found.gaps) is (verdict == "unknown")
    assert not (tmp_path / "built").exists()


def test_what_is_not_worked_out_is_never_hidden_and_everything_else_is_judged(
    house: Wheelhouse, tmp_path: Path
) -> None:
    house.add_source("alone", "1.0", tmp_path / "built", ["gets"])
    for commands, judged, replaced in (
        (("conda install capt", "pip install capt"), "additive", []),
        (("pip install alone",), "shadow", ["wide 1.0 -> 2.0"]),
        (("pip install alone numb==2.0",), "isolated", ["numb 1.0 -> 2.0", "wide 1.0 -> 2.0"]),
        (
            ("pip install -U numb wide", "conda install capt"),
            "isolated",
            ["numb 1.0 -> 2.0", "wide 1.0 -> 2.0"],
        ),
    ):
        found = verdict_of(house, *commands)
        assert (found.verdict, found.exit_code, found.judged) == ("unknown", 2, judged), found.to_text()
        assert [change.describe() for change in found.replaced] == replaced
        assert found.to_text().splitlines()[0].endswith(f"everything else: {judged}")
    document = verdict_of(house, "pip install alone").to_dict()
    assert document["not_worked_out"][0]["cause"] == "build"  # type: ignore[index, call-overload]


def test_a_release_that_is_built_is_judged_as_any(house: Wheelhouse, tmp_path: Path) -> None:
    built = tmp_path / "built"
    house.add_buildable("alone", "1.0", f"open({str(built)!r}, 'w').close()", ["gets"])
    assert verdict_of(house, "pip install alone").verdict == "unknown"
    assert not built.exists()
    for allowed in ("alone", "*"):
        found = verdict_of(house, "pip install alone", allow_build=[allowed])
        assert (found.verdict, found.exit_code) == ("shadow", 1), found.to_text()
    assert built.exists()


def test_a_build_that_fails_is_said_and_the_rest_is_judged(house: Wheelhouse) -> None:
    house.add_buildable("broken", "1.0", "raise OSError('no compiler')")
    found = verdict_of(house, "pip install broken numb==2.0", allow_build=["*"])
    assert (found.verdict, found.judged) == ("unknown", "isolated")
    assert "no compiler" in found.to_text()


def test_the_installer_renews_itself_without_harm(house: Wheelhouse) -> None:
    house.add("pip", "25.0")
    image = open_test_image(house, ("numb==1.0", "pip==24.0"))
    for command, verdict in (("pip install -U pip", "satisfied"), ("pip install -U pip numb", "isolated")):
        found = judge_target(target(command), image, options(house))
        assert found.verdict == verdict
        assert "pip 24.0 -> 25.0" in found.to_text()


def test_a_command_finds_what_those_before_it_have_left(house: Wheelhouse) -> None:
    house.add("past", "1.0", "numb<2")
    removed = verdict_of(house, "pip uninstall -y numb", "pip install numb==2.0")
    assert [change.describe() for change in removed.replaced] == ["numb 1.0 -> 2.0"]
    back = verdict_of(house, "pip install numb==2.0", "pip install past")
    assert back.replaced == ()
    assert [change.describe() for change in back.installs[1].answer.pip.replaced] == ["numb 2.0 -> 1.0"]
    assert verdict_of(house, "pip install needy", "pip install needy").installs[1].answer.pip.replaced == ()


def test_a_notebook_is_not_safe_whose_commands_harm_what_is_loaded(house: Wheelhouse) -> None:
    house.add("older", "1.0", "numb")
    house.add("older", "2.0", "numb>=2")
    found = verdict_of(house, "pip install older")
    assert (found.verdict, found.exit_code) == ("additive", 1)
    assert "Plain pip would change numb, which the image's kernel has loaded" in found.to_text()
    typed = replace(target("pip install older"), kind=TargetKind.REQUIREMENTS)
    assert judge_target(typed, open_test_image(house), options(house)).exit_code in (0, 1)


def test_an_answer_lists_every_install_and_what_is_loaded_first(house: Wheelhouse) -> None:
    for name in ("aa", "bb"):
        house.add(name, "1.0")
        house.add(name, "1.1")
    image = open_test_image(house, ("aa==1.0", "bb==1.0", "numb==1.0", "wide==1.0"))
    found = judge_target(target("pip install capt", "pip install -U aa bb numb wide"), image, options(house))
    assert [change.name for change in found.replaced] == ["numb", "wide", "aa", "bb"]
    safe = preflight([target("pip install capt"), target("pip install wide")], [image], options(house))
    assert safe.exit_code == 0
    for text in ("pip install capt: additive", "pip install wide: satisfied"):
        assert text in safe.to_text()


def test_what_could_not_be_read_is_no_yes(house: Wheelhouse) -> None:
    unread = UnreadInstall("pip install …", "told only when it runs", 2)
    image = open_test_image(house)
    assert judge_target(target("pip install capt", unread=[unread]), image, options(house)).exit_code == 2
    both = judge_target(target("pip install gets", unread=[unread]), image, options(house))
    assert (both.exit_code, both.verdict, both.judged) == (2, "unknown", "shadow")
    noted = replace(unread, is_judged=True)
    assert judge_target(target("pip install capt", unread=[noted]), image, options(house)).exit_code == 0


def test_an_answer_of_a_private_index_is_asked_for_again(house: Wheelhouse) -> None:
    assert added(judge(house, "pip install capt")) == ["capt 0.9"]
    house.add("capt", "1.0", "numb>=1")
    assert added(judge(house, "pip install capt")) == ["capt 1.0"]


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
        assert "asking again failed" in answer.plan.explanation
        with pytest.raises(PlanError):
            judge(house, "pip install gets", environment=web)


def publish(house: Wheelhouse, pages: dict[str, bytes | int]) -> None:
    for folder in (house.folder / "simple").iterdir():
        pages[f"/simple/{folder.name}/"] = (folder / "index.html").read_bytes()
        pages.update(
            {f"/simple/{folder.name}/{file.name}": file.read_bytes() for file in folder.glob("*.whl")}
        )


def added(answer: ImageAnswer) -> list[str]:
    assert answer.plan is not None
    return [f"{item.name} {item.version}" for item in answer.plan.add]


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


def test_the_document_of_many(house: Wheelhouse) -> None:
    told: list[tuple[int, int, str]] = []
    result = preflight(
        [target("pip install capt"), target("pip install gets")],
        [open_test_image(house), open_test_image(house)],
        options(house),
        lambda *step: told.append(step),
    )
    document = json.loads(json.dumps(result.to_dict()))
    assert document["format_version"] == 1
    assert [each["verdict"] for each in document["results"]] == ["additive", "additive", "shadow", "shadow"]
    assert document["ok"] is False
    install = document["results"][2]["installs"][0]
    assert install["plan"]["verdict"] == "shadow"
    assert install["pip"]["replaced"][0]["name"] == "wide"
    assert document["results"][2]["replaced_by_pip"][0]["version"] == "2.0"
    assert told[-1][:2] == (4, 4)
    assert result.exit_code == 1
    assert "plain pip would replace wide 1.0 -> 2.0" in result.to_text()
    assert "<pre" in result._repr_html_()
    assert Preflight(()).exit_code == 0

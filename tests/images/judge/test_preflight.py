"""Installs judged on images, on an index made here."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from guard.wheelhouse import Wheelhouse
from images.judge.small_image import added, judge, open_test_image, options, target, verdict_of
from tierproof.guard.judge.plan import (
    AddedPackage,
    Conflict,
    PlanVerdict,
)
from tierproof.guard.resolve.plan_error import UnknownPackageError
from tierproof.images.judge.preflight import judge_target, preflight
from tierproof.images.judge.preflight_result import Preflight
from tierproof.images.read.found_install import TargetKind, UnreadInstall

pytest.importorskip("uv")


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


def test_a_build_that_only_pip_needs_is_named_in_the_text(house: Wheelhouse, tmp_path: Path) -> None:
    house.add("grown", "1.0")
    house.add_source("grown", "2.0", tmp_path / "built", [])
    found = verdict_of(house, "pip install grown")
    assert found.verdict == "unknown"
    (install,) = found.installs
    assert install.answer.plan is not None
    assert install.answer.plan.verdict is PlanVerdict.ADDITIVE
    assert "Not worked out: plain pip would build grown 2.0 from source" in found.to_text()
    assert "Not worked out" not in verdict_of(house, "pip install capt").to_text()


def test_a_wheel_that_is_not_there_is_a_missing_file(house: Wheelhouse) -> None:
    found = verdict_of(house, "pip install ./extra-1.0-py3-none-any.whl", "pip install other.tar.gz")
    assert (found.verdict, found.exit_code) == ("unknown", 2)
    assert [gap.cause.value for gap in found.gaps] == ["file", "file"], found.to_text()
    assert "a file that could not be read" in found.to_text()


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

"""A dozen known requests against a real image list; the package index answers."""

from __future__ import annotations

import os
import tomllib
from pathlib import Path

import pytest

from tierproof.guard.capture.base import Base
from tierproof.guard.commands.pip_command import Action, PipCommand, Program
from tierproof.guard.judge.judge_plan import make_plan
from tierproof.guard.judge.plan import Plan, PlanVerdict
from tierproof.guard.resolve.plan_error import PlanError, UnknownPackageError
from tierproof.images.base.hosted_base import HostedBase, open_base
from tierproof.images.base.image_base import make_image_base
from tierproof.images.judge.judge_install import QuestionOptions, judge_install
from tierproof.images.store.image_store import find_stored_image

pytest.importorskip("uv")
SHARED = Path(os.environ.get("TIERPROOF_SHARED") or Path(__file__).resolve().parents[3] / "shared")
OWN = tomllib.loads((Path(__file__).resolve().parents[2] / "pyproject.toml").read_text())["project"][
    "dependencies"
]
IMAGES = SHARED / "runtimes" / "colab"
pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(
        not (IMAGES / "index.json").exists(), reason="the image lists lie in TIERPROOF_SHARED"
    ),
]


@pytest.fixture(scope="module")
def base() -> Base:
    try:
        return make_image_base(find_stored_image("colab:2026.01", IMAGES)).base
    except PlanError as error:
        pytest.skip(f"no package index: {error}")


def test_the_image_satisfies_what_its_packages_declare(base: Base) -> None:
    from tierproof.guard.capture.declared_bounds import iterate_bounds

    known = {item.name for item in base.installed}
    declared = sum(1 for item in base.installed for _ in iterate_bounds(item))
    assert len(known) > 600
    assert declared > 5000


@pytest.mark.parametrize(
    ("request_", "verdict"),
    [
        ("captum", PlanVerdict.ADDITIVE),
        ("optuna", PlanVerdict.ADDITIVE),
        ("lightning", PlanVerdict.ADDITIVE),
        ("ray[tune]", PlanVerdict.ADDITIVE),
        ("bertviz", PlanVerdict.ADDITIVE),
        ("ultralytics", PlanVerdict.ADDITIVE),
        ("datasets", PlanVerdict.SATISFIED),
        ("accelerate==0.21.0", PlanVerdict.SHADOW),
        ("openai==0.28", PlanVerdict.SHADOW),
        ("numpy==2.3.4", PlanVerdict.ISOLATED),
        ("datasets>=4.4", PlanVerdict.ISOLATED),
        ("torch==2.9.1", PlanVerdict.ISOLATED),
    ],
)
def test_known_requests(base: Base, request_: str, verdict: PlanVerdict) -> None:
    assert make_plan([request_], base).verdict is verdict


def test_what_colab_2026_01_says_of_known_requests(image: HostedBase) -> None:
    """Issue 4's list, as of a day; each refusal with the one bound that stands in the way."""
    plans = {text: ask(image, text) for text in (*ADDITIVE, "transformer-lens", "datasets", *IN_THE_WAY)}
    for text in ADDITIVE:
        assert (plans[text].verdict, plans[text].aged) == (PlanVerdict.ADDITIVE, ()), text
        assert plans[text].exit_code == 0
    lens = plans["transformer-lens"]
    assert (lens.verdict, lens.exit_code) == (PlanVerdict.ADDITIVE, 1)
    assert [item.version for item in lens.aged] == ["1.2.2"]
    assert plans["datasets"].verdict is PlanVerdict.SATISFIED
    for text, (package, installed, required, owner) in IN_THE_WAY.items():
        assert plans[text].verdict not in (PlanVerdict.SATISFIED, PlanVerdict.ADDITIVE), text
        assert plans[text].exit_code == 1
        assert [
            (each.package, each.installed, each.required, each.required_by) for each in plans[text].conflicts
        ] == [(package, installed, required, owner)]


ADDITIVE = ("captum", "optuna", "lightning", "ray[tune]", "bertviz")
IN_THE_WAY = {
    "datasets>=4.4": ("datasets", "4.0.0", ">=4.4", "the request"),
    "huggingface-hub>=1.0": ("huggingface-hub", "0.36.0", ">=1.0", "the request"),
    "numpy==2.3.4": ("numpy", "2.0.2", "==2.3.4", "the request"),
    "open3d": ("ipywidgets", "7.7.1", ">=8.0.4", "open3d"),
}


@pytest.fixture(scope="module")
def image(base: Base) -> HostedBase:
    return open_base(base)


def ask(image: HostedBase, *requirements: str) -> Plan:
    command = PipCommand(Program.PIP, Action.INSTALL, requirements, text=" ".join(requirements))
    answer = judge_install(command, image, QuestionOptions(exclude_newer="2026-11-01"))
    assert answer.plan is not None
    return answer.plan


def test_own_requirements_add_uv_alone(base: Base) -> None:
    assert [item.name for item in ask(open_base(base), *OWN).add] == ["uv"]


def test_no_such_package(base: Base) -> None:
    with pytest.raises(UnknownPackageError):
        make_plan(["tierproof-has-no-such-package"], base)

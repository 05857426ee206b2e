"""A dozen known requests against a real image list; the package index answers."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tierproof.errors import PlanError, UnknownPackageError
from tierproof.guard.base import Base
from tierproof.guard.judge_plan import make_plan
from tierproof.guard.plan import PlanVerdict
from tierproof.images.image_base import make_image_base
from tierproof.images.image_store import find_stored_image

pytest.importorskip("uv")
SHARED = Path(os.environ.get("TIERPROOF_SHARED") or Path(__file__).resolve().parents[3] / "shared")
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
    from tierproof.guard.declared_bounds import iterate_bounds

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


def test_no_such_package(base: Base) -> None:
    with pytest.raises(UnknownPackageError):
        make_plan(["tierproof-has-no-such-package"], base)

from __future__ import annotations

from dataclasses import replace

import pytest

from tierproof.guard.mend.diagnosis import Diagnosis
from tierproof.guard.mend.heal_result import FailedHeal, HealedPackage, Healing
from tierproof.guard.mend.judge_tear import agree, judge_package
from tierproof.guard.mend.torn import DiskPackage, LoadedPackage, Remedy, TearSign

HELD = DiskPackage("2.0", installer="pip", changed_at=1e9)


@pytest.mark.parametrize(
    ("loaded", "disk", "evidence", "remedy"),
    [
        (LoadedPackage("p", "1.0", replaced=("x.so",)), HELD, ["version", "native-library-replaced"], "heal"),
        (LoadedPackage("p", "1.0", differing=("p",)), HELD, ["version"], "heal"),
        (LoadedPackage("p", "", replaced=("x.so",)), HELD, ["native-library-replaced"], "restart"),
        (
            LoadedPackage("p", "2.0", replaced=("x.so",)),
            HELD,
            ["native-library-replaced", "imported-while-torn"],
            "restart",
        ),
        (LoadedPackage("p", "2.0", differing=("p.a",)), HELD, ["imported-while-torn"], "restart"),
        (LoadedPackage("p"), replace(HELD, mismatches=("p/a.py",)), ["record-mismatch"], "reinstall"),
        (LoadedPackage("p"), replace(HELD, duplicates=("1.0", "2.0")), ["duplicate-metadata"], "reinstall"),
        (LoadedPackage("p"), replace(HELD, import_error="ImportError: x"), ["import-fails"], "reinstall"),
        (
            LoadedPackage("p", "1.0", replaced=("x.so",)),
            DiskPackage(),
            ["version", "native-library-replaced"],
            "heal",
        ),
    ],
)
def test_judgement(loaded: LoadedPackage, disk: DiskPackage, evidence: list[str], remedy: str) -> None:
    torn = judge_package(loaded, disk)
    assert torn is not None
    document = torn.to_dict()
    assert document["evidence"] == evidence
    assert document["remedy"] == remedy
    assert torn.detail.endswith((".", '"', "holds."))


WHOLE = replace(HELD, was_tried=True)
FAILS = replace(HELD, import_error="ImportError: x", was_tried=True)
OTHER = LoadedPackage("p", "1.0", is_exact=True, replaced=("x.so",))
MIXED = replace(OTHER, late=("y.so",))
BACK = replace(OTHER, version="2.0")


@pytest.mark.parametrize(
    ("loaded", "disk", "remedy"),
    [
        (OTHER, WHOLE, "heal"),
        (OTHER, FAILS, "heal"),
        (MIXED, WHOLE, "restart"),
        (MIXED, FAILS, "heal"),  # a restart would make it worse
        (BACK, WHOLE, "restart"),  # after a heal: the other version's code stays
        (BACK, FAILS, "reinstall"),
        (replace(OTHER, failed_heal="no network"), WHOLE, "restart"),
        (replace(OTHER, failed_heal="no network"), FAILS, "reinstall"),
        (replace(OTHER, version=""), WHOLE, "restart"),
        (replace(OTHER, version=""), FAILS, "reinstall"),
        (BACK, replace(WHOLE, mismatches=("p/x.so",)), "heal"),
        (BACK, replace(WHOLE, overwritten_by="q 3.0"), "heal"),
        (replace(OTHER, version="2.0", is_exact=False), replace(WHOLE, version="2.0.1"), "restart"),
        (replace(OTHER, version="2.0"), replace(WHOLE, version="2.0.1"), "heal"),
    ],
)
def test_a_restart_is_advised_only_where_a_fresh_process_works(
    loaded: LoadedPackage, disk: DiskPackage, remedy: str
) -> None:
    torn = judge_package(loaded, disk)
    assert torn is not None
    assert torn.remedy.value == remedy


def test_the_advice_names_versions_that_meet_the_declared_requirements() -> None:
    torn = judge_package(
        LoadedPackage("p", differing=("p",)), replace(FAILS, needed=">=2.1", import_error="q: no name y")
    )
    assert torn is not None
    assert '"p>=2.1"' in torn.detail
    assert "then restart" in torn.detail
    assert "q: no name y" in torn.detail


def test_another_version_alone_is_no_tear() -> None:
    assert judge_package(LoadedPackage("p", "1.0"), HELD) is None
    assert judge_package(LoadedPackage("p"), HELD) is None


@pytest.mark.parametrize(
    ("loaded", "disk", "same"),
    [
        ("4.10.0", "4.10.0.84", True),
        ("2.11.0", "2.11.0+cu128", True),
        ("1.0", "1.0.0", True),
        ("2.0.2", "2.3.4", False),
        ("2.0.2", "", False),
        ("2.0rc1", "2.0", False),
        ("odd", "odd", True),
        ("odd", "even", False),
    ],
)
def test_spellings_of_a_version(loaded: str, disk: str, same: bool) -> None:
    assert agree(loaded, disk) is same


def test_detail_says_who_when_and_what_helps() -> None:
    disk = replace(HELD, stashes=("~p",), mismatches=tuple(f"p/{n}.py" for n in range(6)))
    torn = judge_package(LoadedPackage("p", "1.0", replaced=("x.so",), pid=7), disk)
    assert torn is not None
    for part in ("Process 7 runs p 1.0", "installed by pip on", "x.so", "and 2 more", "~p", "tp.heal()"):
        assert part in torn.detail


def test_what_tierproof_added_is_recovered_not_installed_by_pip() -> None:
    torn = judge_package(LoadedPackage("p"), replace(HELD, mismatches=("p/a.py",), installer="tierproof"))
    assert torn is not None
    assert "tierproof recover" in torn.detail
    assert "pip install" not in torn.detail


def test_documents_and_pages() -> None:
    torn = judge_package(LoadedPackage("<p>", "1.0", replaced=("x.so",)), HELD)
    assert torn is not None
    sick, well = Diagnosis((torn,), 3, 0.1, ("a note",)), Diagnosis((), 3, 0.1)
    assert (sick.exit_code, well.exit_code) == (1, 0)
    assert "note: a note" in str(sick)
    assert "healthy" in str(well)
    assert "&lt;p&gt;" in sick._repr_html_()
    assert "<table>" not in well._repr_html_()
    assert set(sick.to_dict()) >= {"format_version", "healthy", "torn", "checked", "duration_s"}
    healed = HealedPackage("p", "1.0", "2.0")
    done, undone = Healing((healed,), (), well, 0.1), Healing((), (FailedHeal("p", "why <not>"),), well, 0.1)
    assert (done.ok, done.exit_code) == (True, 0)
    assert (undone.ok, undone.exit_code) == (False, 1)
    assert Healing((healed,), (), sick, 0.1).ok is False
    assert "healed: p 1.0" in str(done)
    assert "why &lt;not&gt;" in undone._repr_html_()
    assert undone.to_dict()["failed"] == [{"package": "p", "reason": "why <not>"}]


def test_codes_are_the_contracts() -> None:
    assert {code.value for code in TearSign} == {
        "version",
        "native-library-replaced",
        "record-mismatch",
        "duplicate-metadata",
        "import-fails",
        "imported-while-torn",
    }
    assert {remedy.value for remedy in Remedy} == {"heal", "restart", "reinstall"}

"""The session behind the cells: whatever a form holds, a step shows a box and raises nothing."""

from __future__ import annotations

import importlib.metadata
import json
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

import tierproof as tp
from tierproof.errors import UsageError
from tierproof.guard.judge.plan import AddedPackage, Plan, PlanVerdict
from tierproof.guard.resolve.plan_error import PlanError
from tierproof.session import further_analyses
from tierproof.session import session as session_module
from tierproof.session.add_packages import read_requirements
from tierproof.session.box import Box, Tone
from tierproof.session.conclusion import conclude
from tierproof.session.further_analyses import EXTRAS, list_further_analyses, read_extras
from tierproof.session.held_output import hold_output
from tierproof.session.results_folder import ResultsFolder
from tierproof.session.session import Session

ROOT = Path(__file__).resolve().parents[2]
BROKEN = str(ROOT / "examples" / "broken_gpt.py")
TINY = """
import torch
from torch import nn

class Tiny(nn.Module):
    def __init__(self):
        super().__init__()
        self.embed, self.head = nn.Embedding(9, 8), nn.Linear(8, 9)
    def forward(self, idx):
        print("called")
        return self.head(self.embed(idx))
"""


@pytest.fixture
def tiny(tmp_path: Path) -> str:
    path = tmp_path / "tiny.py"
    path.write_text(TINY)
    return str(path)


@pytest.fixture(autouse=True)
def few_checks(monkeypatch: pytest.MonkeyPatch) -> None:
    """Run the quick checks alone."""
    full = session_module.check_model
    monkeypatch.setattr(
        session_module,
        "check_model",
        lambda model, **options: full(model, only=["T1-CAUSAL", "T1-INIT"], **options),
    )


BAD_INPUT = [
    ("nonsense", "", "the field `source` has the unknown value"),
    ("path", "", "the field `value` is empty, but the source 'path'"),
    ("path", "no_such_file.py", "no_such_file.py"),
    ("path", "no_such_folder", "no_such_folder"),
    ("path", "\0", ""),
    ("path", "syntax.py", "syntax.py"),
    ("path", "exits.py", "exits.py"),
    ("path", "raises.py", "raises.py"),
    ("path", "empty.py", "empty.py"),
    ("path", "latin.py", "latin.py"),
    ("gist", "", "the field `value` is empty, but the source 'gist'"),
    ("gist", "???", ""),
    ("hub", "", "the field `value` is empty, but the source 'hub'"),
    ("hub", "/no/such/folder", ""),
    ("variable", "model", "has no variable 'model'"),
    ("variable", "not a name", "has no variable"),
    ("upload", "", "has no upload dialog"),
    ("path", None, ""),
    (None, None, "has the unknown value"),
]


@pytest.mark.parametrize(("source", "value", "expected"), BAD_INPUT)
def test_bad_input_of_the_form_becomes_a_box(
    session: Session, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, source: Any, value: Any, expected: str
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("syntax.py").write_text("def (")
    Path("exits.py").write_text("import sys; sys.exit(3)")
    Path("raises.py").write_text("1 / 0")
    Path("empty.py").write_text("")
    Path("latin.py").write_bytes(b"# caf\xe9\n")
    box = session.choose(source, value)
    assert isinstance(box, Box)
    assert box.tone is Tone.BAD
    assert expected in str(box)
    assert "Traceback" not in str(box)
    assert "Unexpected error" not in str(box)
    unjudged = session.check()
    assert "no model is chosen" in str(unjudged)
    assert str(session.conclude()).startswith("! Verdict: not judged.")


def test_the_verdict_follows_from_the_results(session: Session, tiny: str) -> None:
    session.choose("path", BROKEN)
    session.check()
    assert str(session.conclude()).startswith("✗ Verdict: failed.")
    assert "T1-CAUSAL" in str(session.conclude())
    session.choose("path", tiny)
    assert str(session.conclude()).startswith("! Verdict: not judged.")
    session.check()
    assert str(session.conclude()).startswith("✓ Verdict: passed.")


def test_what_the_model_prints_is_held_back(
    session: Session, tiny: str, capsys: pytest.CaptureFixture[str]
) -> None:
    session.choose("path", tiny)
    shown = session.check()
    assert "called" not in capsys.readouterr().out
    assert "lines during this step" in str(shown)
    assert "<style>" in shown._repr_html_()
    assert str(shown).count("\n") < 40


def test_a_restarted_kernel_takes_up_what_was_left(
    session: Session, tiny: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    session.choose("path", tiny)
    session.check()
    weights = {name: value.clone() for name, value in session.model.state_dict().items()}
    later = Session("validate", session.folder)
    assert later.restore() == ("Nothing was lost since the last step.",)
    monkeypatch.setattr(session_module, "KERNEL", "another")
    lines = " ".join(later.restore())
    assert "No variables of yours were lost" in lines
    assert "The last report is restored" in lines
    assert "with the weights that were checked" in lines
    assert later.report is not None
    assert later.report.verdict == session.report.verdict  # type: ignore[union-attr]
    assert all(torch.equal(value, weights[name]) for name, value in later.model.state_dict().items())


def test_results_of_a_kernel_before_never_stand_for_a_model_that_failed_to_load(
    session: Session, tiny: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    session.choose("path", tiny)
    session.check()
    monkeypatch.setattr(session_module, "KERNEL", "another")
    later = Session("validate", session.folder)
    later.choose("path", "no_such_file.py")
    assert later.restore() == ("Nothing was lost since the last step.",)  # as in Run all
    assert str(later.conclude()).startswith("! Verdict: not judged.")
    assert "Nothing to export." in str(later.export())
    monkeypatch.setattr(session_module, "KERNEL", "a third")
    latest = Session("validate", session.folder)
    latest.restore()
    assert str(latest.conclude()).startswith("! Verdict: not judged.")


def test_code_from_a_folder_of_others_is_not_run(
    session: Session, tiny: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    session.choose("path", tiny)
    session.check()
    monkeypatch.setattr(session_module, "KERNEL", "another")
    later = Session("validate", session.folder)
    lines = " ".join(later.restore(run_code=False))
    assert "The model was not loaded" in lines
    assert "The last report is restored" in lines
    assert "no model is chosen" in str(later.check())


def test_weights_are_not_read_by_a_torch_that_could_be_tricked(
    session: Session, tiny: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    session.choose("path", tiny)
    session.check()
    monkeypatch.setattr(torch, "__version__", "2.5.1")
    assert "cannot read them safely" in session.folder.load_weights(session.model)


def test_a_restart_after_nothing_restores_nothing(session: Session) -> None:
    assert "nothing had to be restored" in session.restore()[0]


def test_a_model_that_is_gone_is_said(session: Session, tiny: str, monkeypatch: pytest.MonkeyPatch) -> None:
    session.choose("path", tiny)
    Path(tiny).unlink()
    monkeypatch.setattr(session_module, "KERNEL", "another")
    later = Session("validate", session.folder)
    assert "The model could not be restored" in " ".join(later.restore())
    assert "not judged" in str(later.conclude())


def test_damaged_results_are_no_obstacle(
    session: Session, tiny: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    session.choose("path", tiny)
    session.check()
    session.folder.report_file.write_text('{"format_version": 1}')
    session.folder.weights_file.write_bytes(b"PK\x03\x04 torn")
    monkeypatch.setattr(session_module, "KERNEL", "another")
    later = Session("validate", session.folder)
    assert "The model is loaded again" in " ".join(later.restore())
    assert later.report is None
    session.folder.write_state({"kernel": "before", "choice": {"source": "moon"}})
    assert "cannot be read" in " ".join(Session("validate", session.folder).restore())
    (session.folder.path / "session.json").write_text("{")
    assert "nothing had to be restored" in later.restore()[0]


def test_results_that_cannot_be_written_cost_no_verdict(tiny: str, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    session = Session("validate", ResultsFolder(tmp_path / "file" / "results"))
    session.check(nn.Linear(2, 2))
    shown = session.check(_tiny_model())
    assert "A restart would lose this result" in str(shown)
    assert str(session.conclude()).startswith("✓ Verdict: passed.")


def test_a_model_in_memory_is_checked_and_is_the_sessions_model(session: Session) -> None:
    model = _tiny_model()
    session.check(model)
    assert session.model is model
    assert "the model in memory" in str(session.conclude())


def test_an_unforeseen_error_is_a_box_and_its_traceback_is_kept(
    session: Session, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    session.show_traceback()
    assert "No step has failed" in capsys.readouterr().out
    monkeypatch.setattr(session_module, "check_model", lambda *_, **__: 1 / 0)
    box = session.check(_tiny_model())
    assert "ZeroDivisionError" in str(box)
    assert "test_session.py" in str(box)
    session.show_traceback()
    assert "Traceback" in capsys.readouterr().out
    assert "not judged" in str(session.conclude())


def _tiny_model() -> nn.Module:
    namespace: dict[str, Any] = {}
    exec(TINY.replace('print("called")', "pass"), namespace)
    return namespace["Tiny"]()


def test_opened_twice_in_a_kernel_it_is_the_same_session(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TIERPROOF_RESULTS", str(tmp_path / "results"))
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "data"))
    session = tp.open_notebook("validate")
    assert "is ready" in repr(session)
    assert tp.recover_notebook("validate") is session
    assert "Recovered; go on with the next cell." in repr(session)
    assert tp.recover_notebook("validate", saved=str(tmp_path / "none")) is session
    assert "there is no folder" in repr(session)


# The last cell


def test_every_extra_is_described() -> None:
    declared = importlib.metadata.metadata("tierproof").get_all("Provides-Extra") or []
    assert set(read_extras()) == set(declared)
    assert set(declared) <= set(EXTRAS)


def test_further_analyses_tell_seconds_and_megabytes(
    session: Session, tiny: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(further_analyses, "read_extras", lambda: {"plots": ("no-such-package>=1",)})
    plan = Plan((), "here", PlanVerdict.ADDITIVE, add=(AddedPackage("captum", "0.9", 500_000),))
    monkeypatch.setattr(further_analyses, "make_plan", lambda *_, **__: plan)
    session.choose("path", tiny)
    session.check()
    rows = {
        item.what: item for item in list_further_analyses(session.report, {"figures": 1.5, "packages": 0.4})
    }
    assert rows["figures"].seconds == "1.5"
    assert rows["figures"].download == "0.5 MB"
    assert rows["figures"].how == "tp.install('no-such-package>=1')"
    assert rows["any package, safely"].seconds == "0.4"
    assert rows["packages that conflict"].seconds == "about 3"
    assert rows["one check again"].seconds.startswith("up to ")
    # What was left out of this report is offered: it is read from the registry.
    assert "gradient flow" in rows

    def fail(*_: Any, **__: Any) -> Plan:
        raise PlanError("no network")

    monkeypatch.setattr(further_analyses, "make_plan", fail)
    (row,) = (item for item in list_further_analyses(None, {}) if item.what == "figures")
    assert row.download == "unknown: no plan could be made"


def test_without_a_report_the_reason_is_the_conclusion() -> None:
    assert "has not been run" in str(conclude(None, "", {}))
    assert "No such file" in str(conclude(None, "no such file", {}))


# Export


def test_export_writes_reports_figures_and_a_copy(session: Session, tiny: str, tmp_path: Path) -> None:
    session.choose("path", tiny)
    session.check()
    drive = tmp_path / "drive"
    box = session.export(download=True, drive_folder=str(drive))
    assert "Exported." in str(box)
    assert {
        "report.html",
        "report.md",
        "report.txt",
        "report.json",
        "figures",
        "weights.pt",
        "session.json",
    } <= {path.name for path in drive.iterdir()}
    assert (session.folder.path / "tierproof-report.zip").is_file()
    assert json.loads((drive / "report.json").read_text())["verdict"] == "pass"


def test_nothing_to_export_is_said(session: Session) -> None:
    assert "Nothing to export." in str(session.export())
    assert "Google Drive can only be mounted on Colab" in str(session.export(to_drive=True))


# Small parts


def test_a_box_is_safe_html_and_short_text() -> None:
    box = Box(
        "<b>",
        Tone.WARN,
        ("<i>", *map(str, range(40))),
        ("a", "b"),
        (("<u>", "x" * 99),),
        ("&",),
        (("l", "u"),),
    )
    assert "<i>" not in box._repr_html_()
    assert "&lt;u&gt;" in box._repr_html_()
    assert str(box).count("\n") < 25
    assert "… and" in str(box)
    assert box.to_dict()["rows"] == [{"a": "<u>", "b": "x" * 99}]


def test_held_output_keeps_the_end() -> None:
    with hold_output() as held:
        print("one")
        print("two\nthree\nfour")
        print("open", end="")
    assert held.describe() == (
        "The model printed 5 lines during this step. The last ones:",
        "  two",
        "  three",
        "  four",
        "  open",
    )
    with hold_output() as silent:
        pass
    assert silent.describe() == ()


def test_reading_options_raises_usage_errors() -> None:
    with pytest.raises(UsageError):
        read_requirements("-r requirements.txt")

"""The watch over images: what changes between reports."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tierproof.errors import UsageError
from tierproof.guard.commands.pip_command import Action, PipCommand, Program
from tierproof.guard.judge.plan import Conflict, Plan, PlanVerdict
from tierproof.images.judge.image_answer import ImageAnswer, PipForecast
from tierproof.images.judge.preflight_result import InstallVerdict, TargetVerdict
from tierproof.images.lists.image_index import Image
from tierproof.images.read.found_install import FoundInstall, PreflightTarget, TargetKind
from tierproof.images.read.subscription import Subscription, read_subscriptions
from tierproof.images.tell.timeline import make_timelines
from tierproof.images.tell.watch_images import find_change, watch_images
from tierproof.images.tell.watch_report import (
    VerdictChange,
    WatchEntry,
    WatchReport,
    read_last_report,
    write_report,
)


def verdict(target: str, image: str, plan: Plan | None, failed: bool = False) -> TargetVerdict:
    command = PipCommand(Program.PIP, Action.INSTALL, (target,))
    answer = ImageAnswer(
        plan, PipForecast(), "" if plan else "no package index has a package named 'x'\nhint"
    )
    installs = (InstallVerdict(FoundInstall(command, target), answer, failed),)
    return TargetVerdict(PreflightTarget(target, TargetKind.REQUIREMENTS, ()), image, installs)


def plan(verdict: PlanVerdict, *conflicts: Conflict) -> Plan:
    return Plan(
        ("datasets>=4",), "image", verdict, conflicts=conflicts, explanation="Told in words. And more."
    )


FINE = plan(PlanVerdict.ADDITIVE)
WRONG = plan(PlanVerdict.ISOLATED, Conflict("pyarrow", "18.1.0", ">=21", "datasets"))
WATCHED = Subscription("demo", ("datasets>=4",), ("colab:latest",), Path())


def watch(
    image: str, judged: Plan | None, last: WatchReport | None, date: str, failed: bool = False
) -> WatchReport:
    versions = {"colab:2026.07": {"pyarrow": "21.0.0"}, "colab:2026-08": {"pyarrow": "18.1.0"}}

    def judge(subscription: Subscription, asked: str) -> Sequence[TargetVerdict]:
        assert (subscription, asked) == (WATCHED, "colab:latest")
        return [verdict("datasets>=4", image, judged, failed)]

    return watch_images([WATCHED], judge, lambda label: versions.get(label, {}), last, date)


def test_what_breaks_is_told_once_with_its_reason() -> None:
    first = watch("colab:2026.07", FINE, None, "2026-08-01")
    assert (first.exit_code, first.entries[0].change, first.compared_with) == (0, VerdictChange.FINE, "")
    second = watch("colab:2026-08", WRONG, first, "2026-09-01")
    assert (second.exit_code, second.entries[0].change, second.compared_with) == (
        1,
        VerdictChange.BREAKS,
        "2026-08-01",
    )
    assert second.entries[0].reason == (
        "datasets needs pyarrow>=21; the image has 18.1.0 – "
        "since colab:2026.07 the image changed pyarrow 21.0.0 → 18.1.0"
    )
    third = watch("colab:2026-08", WRONG, second, "2026-10-01")
    assert (third.exit_code, third.entries[0].change) == (0, VerdictChange.BROKEN)
    fourth = watch("colab:2026-08", FINE, third, "2026-11-01")
    assert (fourth.exit_code, fourth.entries[0].change) == (0, VerdictChange.MENDED)


def test_what_is_broken_at_first_sight_breaks() -> None:
    assert watch("colab:2026-08", WRONG, None, "2026-09-01").exit_code == 1


def test_what_cannot_be_judged_is_no_break() -> None:
    report = watch("colab:2026-08", None, None, "2026-09-01", failed=True)
    assert (report.exit_code, report.entries[0].change) == (2, VerdictChange.UNKNOWN)
    assert report.entries[0].reason == "no package index has a package named 'x'"


@pytest.mark.parametrize("before", [None, 0, 1, 2])
@pytest.mark.parametrize("now", [0, 1, 2])
def test_every_change(now: int, before: int | None) -> None:
    change = find_change(now, before)
    assert (change is VerdictChange.UNKNOWN) == (now == 2)
    assert (change in (VerdictChange.BREAKS, VerdictChange.BROKEN)) == (now == 1)
    assert (change is VerdictChange.BROKEN) == (now == 1 and before == 1)
    assert (change is VerdictChange.MENDED) == (now == 0 and before == 1)


WORDS = st.text(min_size=1, max_size=8)
ENTRIES = st.builds(
    WatchEntry, WORDS, WORDS, WORDS, WORDS, WORDS, st.integers(0, 2), st.sampled_from(VerdictChange), WORDS
)
REPORTS = st.builds(
    WatchReport,
    st.dates().map(str),
    st.lists(ENTRIES, max_size=3).map(tuple),
    WORDS,
    st.lists(WORDS).map(tuple),
)


@given(REPORTS)
def test_a_report_comes_back_from_json(report: WatchReport) -> None:
    assert WatchReport.from_dict(json.loads(json.dumps(report.to_dict()))) == report
    assert report.date in report.to_text()
    assert report.to_markdown().startswith("# ")


def test_reports_lie_by_their_days_and_foreign_ones_stay(tmp_path: Path) -> None:
    folder = tmp_path / "deep" / "reports"
    assert read_last_report(folder, "2026-09-01") == (None, ())
    first = watch("colab:2026.07", FINE, None, "2026-08-01")
    write_report(first, folder)
    write_report(watch("colab:2026-08", WRONG, first, "2026-09-01"), folder)
    again = watch("colab:2026-08", FINE, first, "2026-09-01")
    write_report(again, folder)
    assert read_last_report(folder, "2026-09-02")[0] == again
    assert read_last_report(folder, "2026-09-01")[0] == first  # today's own is not compared with
    (folder / "2026-08-15.json").write_text('{"format_version": 1, "da')
    (folder / "2026-08-20.json").write_text('{"format_version": 99}')
    (folder / "package.json").write_text("{}")
    last, notes = read_last_report(folder, "2026-09-01")
    assert last == first
    assert [note[:15] for note in notes] == ["2026-08-20.json", "2026-08-15.json"]
    assert (folder / "2026-08-15.json").read_text().endswith('"da')
    assert sorted(path.name for path in folder.glob("2026-09*")) == ["2026-09-01.json", "2026-09-01.md"]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "it has no \\[\\[subscribe\\]\\] table"),
        ("a = ", "not valid TOML"),
        ("report = 'x'", "unknown key 'report'"),
        ("[[subscribe]]", "`targets`"),
        ("[[subscribe]]\ntargets = 'captum'", "`targets`"),
        ("[[subscribe]]\ntargets = ['a']\nimages = []", "`images`"),
        ("[[subscribe]]\ntargets = ['a']\nname = 3", "`name`"),
        ("[[subscribe]]\ntargets = ['a']\ntarget = 'b'", "'target'"),
        ("subscribe = [1]", "not a table"),
        (
            "[[subscribe]]\nname='a'\ntargets = ['a']\n[[subscribe]]\nname='a'\ntargets=['b']",
            "two .* have the name",
        ),
    ],
)
def test_subscriptions_that_are_none(tmp_path: Path, text: str, said: str) -> None:
    path = tmp_path / "watch.toml"
    path.write_text(text)
    with pytest.raises(UsageError, match=said):
        read_subscriptions(path)


def test_subscriptions_are_read(tmp_path: Path) -> None:
    path = tmp_path / "watch.toml"
    path.write_text(
        "[[subscribe]]\nname = 'demo'\ntargets = ['demo.ipynb', 'captum']\nimages = ['colab:2026.07']"
    )
    assert read_subscriptions(path) == (
        Subscription("demo", ("demo.ipynb", "captum"), ("colab:2026.07",), tmp_path.resolve()),
    )


def test_a_timeline_names_spans() -> None:
    images = [
        Image(f"colab:2026-0{month}", "cpu", Path(), "3.12", date=f"2026-0{month}-28")
        for month in range(1, 5)
    ]
    judged = [FINE, FINE, WRONG, None]
    verdicts = [
        verdict("datasets>=4", image.label, each, each is None)
        for image, each in zip(images, judged, strict=True)
    ]
    found = make_timelines(list(reversed(verdicts)), images)
    assert [point.verdict for point in found.lines[0].points] == [
        "additive",
        "additive",
        "isolated",
        "unknown",
    ]
    text = found.to_text()
    assert "colab:2026-01 … colab:2026-02" in text
    assert "datasets needs pyarrow>=21; the image has 18.1.0" in text
    assert found.to_dict()["timelines"][0]["points"][2]["date"] == "2026-03-28"  # type: ignore[index,call-overload]


def test_the_timelines_figure(tmp_path: Path) -> None:
    pytest.importorskip("matplotlib")
    from tierproof.errors import OutputError
    from tierproof.plots.save_figure import save_figure
    from tierproof.plots.timeline import draw_timelines

    images = [
        Image(f"colab:2026-{month:02}", "cpu", Path(), "3.12", date=f"2026-{month:02}-28")
        for month in range(1, 13)
    ]
    found = make_timelines([verdict("datasets>=4", image.label, WRONG) for image in images], images)
    for name in ("a.svg", "a.png"):
        save_figure(draw_timelines(found), tmp_path / name)
        assert (tmp_path / name).stat().st_size > 1000
    assert "isolated" in (tmp_path / "a.svg").read_text()
    with pytest.raises(OutputError, match=r"\.svg"):
        save_figure(draw_timelines(found), tmp_path / "a.txt")
    with pytest.raises(OutputError):
        save_figure(draw_timelines(found), tmp_path / "absent" / "a.svg")


def test_the_workflow_runs_commands_that_there_are() -> None:
    from tierproof.cli.images.images import images

    text = (Path(__file__).resolve().parents[3] / "docs" / "examples" / "tierproof-watch.yml").read_text()
    assert "\t" not in text
    (line,) = [line for line in text.splitlines() if "tierproof images" in line]
    words = line.partition("tierproof images ")[2].split()
    command = images.commands[words[0]]
    assert {word for word in words if word.startswith("--")} <= {
        each for item in command.params for each in item.opts
    }

"""`%tierproof`: how its words become calls."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

import tierproof
from tierproof.core.addresses import troubleshooting_address
from tierproof.errors import UsageError
from tierproof.extension.magic import TierproofMagic
from tierproof.extension.watch import Watch
from tierproof.guard.judge.plan import Plan, PlanVerdict
from tierproof.guard.judge.plan_refused import PlanRefused


class Calls:
    """Stands in for tierproof's functions."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, *names: str) -> None:
        self.seen: list[tuple[str, tuple[Any, ...], dict[str, Any]]] = []
        for name in names:
            monkeypatch.setattr(tierproof, name, self._make(name), raising=False)

    def _make(self, name: str) -> Any:
        def call(*arguments: Any, **options: Any) -> str:
            options.pop("on_step", None)
            self.seen.append((name, arguments, options))
            return name

        return call


@pytest.fixture
def calls(monkeypatch: pytest.MonkeyPatch) -> Calls:
    return Calls(
        monkeypatch,
        *(
            "install",
            "plan",
            "uninstall",
            "rollback",
            "history",
            "doctor",
            "heal",
            "recover",
            "save",
            "check",
        ),
    )


INSTALL = {"allow_shadow": False, "allow_aged": False, "waive": (), "allow_build": (), "trial": True}


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("install captum", ("install", ("captum",), INSTALL)),
        ("install 'optuna>=4' captum # why", ("install", ("optuna>=4", "captum"), INSTALL)),
        (
            "install --allow-shadow a --waive b --waive c --allow-aged --allow-build d --no-trial e",
            (
                "install",
                ("a", "e"),
                {
                    "allow_shadow": True,
                    "allow_aged": True,
                    "waive": ("b", "c"),
                    "allow_build": ("d",),
                    "trial": False,
                },
            ),
        ),
        ("plan a b --allow-build a", ("plan", ("a", "b"), {"allow_build": ("a",)})),
        ("uninstall a b", ("uninstall", ("a", "b"), {})),
        ("rollback", ("rollback", (), {})),
        ("rollback 3", ("rollback", (3,), {})),
        ("history", ("history", (), {})),
        ("doctor", ("doctor", (), {})),
        ("heal", ("heal", (), {})),
        ("recover", ("recover", (None,), {"lock": None, "trust": False})),
        ("recover DIR --lock L --trust", ("recover", ("DIR",), {"lock": "L", "trust": True})),
        ("save /drive", ("save", ("/drive",), {})),
        ("check model.py", ("check", ("model.py",), {})),
    ],
)
def test_words_become_calls(
    calls: Calls, line: str, expected: tuple[str, tuple[Any, ...], dict[str, Any]]
) -> None:
    assert TierproofMagic(Watch()).run(line) == expected[0]
    assert calls.seen == [expected]


def test_a_requirements_file_is_read(calls: Calls, tmp_path: Path) -> None:
    (tmp_path / "r.txt").write_text("captum\noptuna>=4 # c\n")
    TierproofMagic(Watch()).run(f"install -r {tmp_path}/r.txt more")
    assert calls.seen[0][1] == ("more", "captum", "optuna>=4")


@pytest.mark.parametrize(
    "line",
    [
        "nonsense",
        "install",
        "install --nope a",
        "plan",
        "rollback x",
        "doctor now",
        "save",
        "gc --keep x",
        "check",
        "watch --limit never",
        "watch --limit -1",
        "install 'a",
    ],
)
def test_what_cannot_be_read_is_one_message(calls: Calls, line: str) -> None:
    with pytest.raises(UsageError) as caught:
        TierproofMagic(Watch()).run(line)
    assert caught.value.hint
    shown = caught.value._render_traceback_()  # type: ignore[attr-defined]
    assert shown[0].startswith("UsageError: ")
    assert calls.seen == []


def test_a_refusal_shows_its_hint_and_no_traceback(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*arguments: Any, **options: Any) -> None:
        raise PlanRefused(
            "isolated: it conflicts", plan=Plan(("x",), "here", PlanVerdict.ISOLATED), hint="run it apart"
        )

    monkeypatch.setattr(tierproof, "install", refuse, raising=False)
    with pytest.raises(PlanRefused) as caught:
        TierproofMagic(Watch()).run("install a")
    assert caught.value._render_traceback_() == [  # type: ignore[attr-defined]
        "PlanRefused: isolated: it conflicts",
        "",
        "run it apart",
        f"More: {troubleshooting_address('plan-refused')}",
    ]


def test_help_names_every_word(capsys: pytest.CaptureFixture[str]) -> None:
    magic = TierproofMagic(Watch())
    for line in ("", "help"):
        magic.run(line)
        shown = capsys.readouterr().out
        for word in magic._words:
            assert word in shown


def test_steps_of_an_install_are_shown(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(tierproof, "install", lambda *_, on_step, **__: on_step("planning"), raising=False)
    TierproofMagic(Watch()).run("install a")
    assert capsys.readouterr().out == "planning …\n"


def test_the_watch_is_set(capsys: pytest.CaptureFixture[str]) -> None:
    watch = Watch()
    magic = TierproofMagic(watch)
    magic.run("watch --off --limit 3")
    assert (watch.enabled, watch.limit_s) == (False, 3.0)
    magic.run("watch --on --allow-next")
    assert watch.enabled
    assert watch.allow_next
    assert "Installs in the next cell are not stopped" in capsys.readouterr().out


def test_list_and_gc_answer_for_this_environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path))
    magic = TierproofMagic(Watch())
    for line in ("list", "gc", "gc --keep 2"):
        assert magic.run(line).to_dict()["format_version"] == 1  # type: ignore[attr-defined]

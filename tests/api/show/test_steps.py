"""Steps are shown on one line where a person looks at it, and nowhere else."""

from __future__ import annotations

import io
import sys

import pytest

from tierproof.api.show import steps


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_a_terminal_sees_each_step_on_one_line_which_is_cleared(monkeypatch: pytest.MonkeyPatch) -> None:
    screen = Terminal()
    monkeypatch.setattr(sys, "stderr", screen)
    with steps.open_steps(None) as show:
        show("planning")
        show("fetching 12 packages")
    lines = screen.getvalue().split("\r")
    assert lines[1].strip() == "tierproof: planning …"
    assert lines[2].strip() == "tierproof: fetching 12 packages …"
    assert lines[3].strip() == lines[4] == ""
    assert len(lines[3]) >= len(lines[2].rstrip())


def test_a_log_sees_nothing_and_a_function_is_told(capsys: pytest.CaptureFixture[str]) -> None:
    with steps.open_steps(None) as show:
        show("planning")
    told: list[str] = []
    with steps.open_steps(told.append) as show:
        show("planning")
    assert told == ["planning"]
    assert capsys.readouterr().err == ""


def test_the_line_is_cleared_after_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    screen = Terminal()
    monkeypatch.setattr(sys, "stderr", screen)

    def interrupt() -> None:
        with steps.open_steps(None) as show:
            show("planning")
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupt()
    assert screen.getvalue().endswith("\r")

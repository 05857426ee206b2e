"""A Ctrl-C during a step that is done as a whole."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading

import pytest

from tierproof.guard.system.hold_signals import hold_signals


def test_a_command_drops_a_signal_during_the_step_and_not_one_after_it() -> None:
    before = signal.getsignal(signal.SIGINT)
    done = False
    with hold_signals(then_act=False):
        os.kill(os.getpid(), signal.SIGINT)
        child = subprocess.run(
            [sys.executable, "-c", "import signal; print(signal.getsignal(signal.SIGINT) is signal.SIG_IGN)"],
            capture_output=True,
            text=True,
            check=True,
        )
        done = True
    assert done
    assert child.stdout == "False\n"
    assert signal.getsignal(signal.SIGINT) is before
    with pytest.raises(KeyboardInterrupt):
        os.kill(os.getpid(), signal.SIGINT)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_kernel_acts_on_a_signal_after_the_step(number: int) -> None:
    class ToldToEnd(BaseException):
        pass

    def tell(*_: object) -> None:
        raise ToldToEnd

    steps = []

    def act() -> None:
        with hold_signals(then_act=True):
            os.kill(os.getpid(), number)
            steps.append("done")

    before = signal.signal(number, tell)
    try:
        with pytest.raises(ToldToEnd):
            act()
        assert steps == ["done"]
        assert signal.getsignal(number) is tell
    finally:
        signal.signal(number, before)


def test_in_another_thread_nothing_changes() -> None:
    def act() -> None:
        with hold_signals(then_act=True):
            found.append(signal.getsignal(signal.SIGINT))

    found: list[object] = []
    thread = threading.Thread(target=act)
    thread.start()
    thread.join()
    assert found == [signal.getsignal(signal.SIGINT)]

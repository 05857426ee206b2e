"""What every test relies on."""

from __future__ import annotations

import signal
from collections.abc import Iterator

import pytest

# A runner in the background starts with SIGINT ignored, and children inherit that: Ctrl-C must work in tests.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)
# Under nohup it is SIGHUP. A handler that does nothing goes on ignoring it here, and is not inherited.
if signal.getsignal(signal.SIGHUP) is signal.SIG_IGN:
    signal.signal(signal.SIGHUP, lambda *_: None)


@pytest.fixture(autouse=True, scope="session")
def cache_of_the_session(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Keep what tests cache out of the user's cache folder; children inherit it."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TIERPROOF_CACHE", str(tmp_path_factory.mktemp("tierproof-cache")))
        yield

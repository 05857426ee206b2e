from __future__ import annotations

import time

import pytest

from tierproof.core.time_limit import TimeIsUp, limit_time, require_time


def test_a_step_begins_only_while_there_is_time():
    require_time()
    with limit_time(time.monotonic() + 60):
        require_time()
        with limit_time(time.monotonic() - 1), pytest.raises(TimeIsUp):
            require_time()
        require_time()
    with limit_time(None):
        require_time()


def test_a_check_that_tries_sizes_does_not_catch_it():
    assert not issubclass(TimeIsUp, Exception)

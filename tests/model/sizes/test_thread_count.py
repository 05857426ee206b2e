"""Threads of small models."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import torch

from tierproof.model.sizes.thread_count import limit_threads


@pytest.fixture(autouse=True)
def three_threads() -> Iterator[None]:
    threads = torch.get_num_threads()
    torch.set_num_threads(3)
    yield
    torch.set_num_threads(threads)


def test_a_small_model_runs_on_one_thread_and_the_process_gets_its_number_back() -> None:
    def interrupt() -> None:
        with limit_threads(6):
            assert torch.get_num_threads() == 1
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupt()
    assert torch.get_num_threads() == 3


def test_a_larger_model_keeps_its_threads() -> None:
    with limit_threads(1_000_001):
        assert torch.get_num_threads() == 3


def test_a_lazy_model_has_no_size_yet() -> None:
    with limit_threads(0):
        assert torch.get_num_threads() == 1

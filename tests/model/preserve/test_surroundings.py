"""The folder, print options and signal handlers that a forward pass sets are put back."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import torch
from torch import nn

from tierproof.model.preserve.preserve import preserve


def test_what_a_forward_sets_around_it_is_put_back(tmp_path):
    before = Path.cwd(), torch._tensor_str.PRINT_OPTS.precision, signal.getsignal(signal.SIGUSR1)
    with preserve(nn.Linear(2, 2)):
        os.chdir(tmp_path)
        torch.set_printoptions(precision=9)
        signal.signal(signal.SIGUSR1, lambda *_: None)
    assert (Path.cwd(), torch._tensor_str.PRINT_OPTS.precision, signal.getsignal(signal.SIGUSR1)) == before

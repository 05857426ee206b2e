"""One line with the verdict, in a notebook's kernel and nowhere else."""

from __future__ import annotations

import torch
from torch import nn

import tierproof as tp
from tierproof.api.show import verdict


def test_a_check_in_a_notebook_says_its_verdict_on_one_line(capsys, monkeypatch):
    def check(**options):
        tp.check(nn.Sequential(nn.Linear(8, 8)), inputs=torch.randn(2, 8), only=["T1-REG"], **options)
        return capsys.readouterr().out

    assert check() == ""
    monkeypatch.setattr(verdict, "in_notebook", lambda: True)
    assert check() == "Sequential: pass, 0 errors, 0 warnings, 1 ran\n"
    assert check(progress=False) == ""

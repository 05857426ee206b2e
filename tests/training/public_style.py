"""A small net, its batches, a plain update, and what is read off a report about them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

import tierproof
from tierproof.core.report import Report

Batch = tuple[Tensor, Tensor]
Step = Callable[[Any], Any]


def make_batches(rows: int = 6) -> list[Batch]:
    generator = torch.Generator().manual_seed(1)
    return [
        (torch.randn(rows, 8, generator=generator), torch.randint(0, 3, (rows,), generator=generator))
        for _ in range(3)
    ]


def make_net() -> nn.Sequential:
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(8, 16), nn.ReLU(), nn.Linear(16, 3))


def audit(step: Step, batches: list[Any] | None = None, **given: Any) -> Report:
    return tierproof.audit(step, batches or make_batches(), progress=False, **given)


def list_codes(report: Report) -> set[str]:
    return {finding.code for result in report.results for finding in result.findings}


def list_errors(report: Report) -> list[str]:
    return [f.message for result in report.results for f in result.findings if f.severity.value == "error"]


def find_result(report: Report, code: str) -> Any:
    return next(result for result in report.results if result.code == code)


def list_found(report: Report, trait: str) -> list[str]:
    return [each.measured or each.declared for each in report.model.evidence if each.trait == trait]


def train(net: nn.Module, optimizer: torch.optim.Optimizer, batch: Batch) -> Tensor:
    optimizer.zero_grad()
    loss = F.cross_entropy(net(batch[0]), batch[1])
    loss.backward()  # type: ignore[no-untyped-call]
    optimizer.step()
    return loss

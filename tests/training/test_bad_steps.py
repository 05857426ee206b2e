"""A step that cannot be audited gets one clear message, and everything is as it came."""

from __future__ import annotations

import os
import random
import signal
import threading
from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

import tierproof
from tierproof.training.audit.parts.audit_error import AuditError

Batch = tuple[Tensor, Tensor]


def make_batches(count: int = 3, rows: int = 6) -> list[Batch]:
    generator = torch.Generator().manual_seed(3)
    return [
        (torch.randn(rows, 8, generator=generator), torch.randint(0, 3, (rows,), generator=generator))
        for _ in range(count)
    ]


class Loop:
    """A sound loop, whose parts a test exchanges."""

    def __init__(self) -> None:
        torch.manual_seed(1)
        self.model = nn.Sequential(nn.Linear(8, 16), nn.BatchNorm1d(16), nn.Dropout(0.1), nn.Linear(16, 3))
        self.optimizer = torch.optim.AdamW(self.model.parameters(), 1e-2, weight_decay=0.0)
        self.scheduler = torch.optim.lr_scheduler.CosineAnnealingLR(self.optimizer, 50)
        self.number = 0
        self.losses: list[float] = []
        for batch in make_batches():  # so that there is a state to lose
            self.step(batch)

    def step(self, batch: Batch) -> float:
        inputs, labels = batch
        self.model.train()
        self.optimizer.zero_grad()
        loss = F.cross_entropy(self.model(inputs), labels)
        loss.backward()  # type: ignore[no-untyped-call]
        self.optimizer.step()
        self.scheduler.step()
        self.number += 1
        self.losses.append(loss.item())
        return loss.item()

    def read_state(self) -> dict[str, Any]:
        """Everything that an audit must leave as it is."""
        state: dict[str, Any] = {f"model.{k}": v.clone() for k, v in self.model.state_dict().items()}
        for index, each in enumerate(self.optimizer.state.values()):
            state |= {f"optimizer.{index}.{k}": torch.as_tensor(v).clone() for k, v in each.items()}
        state |= {f"grad.{k}": p.grad.clone() for k, p in self.model.named_parameters() if p.grad is not None}
        state |= {"rate": self.optimizer.param_groups[0]["lr"], "epoch": self.scheduler.last_epoch}
        state |= {"number": self.number, "losses": list(self.losses), "training": self.model.training}
        return state | {"torch": torch.get_rng_state(), "python": random.getstate()}


def assert_same(first: dict[str, Any], second: dict[str, Any]) -> None:
    assert first.keys() == second.keys()
    for name, value in first.items():
        other = second[name]
        same = torch.equal(value, other) if isinstance(value, Tensor) else value == other
        assert same, name


def test_a_sound_loop_passes_and_is_as_it_came() -> None:
    loop = Loop()
    before, batches = loop.read_state(), make_batches()
    report = tierproof.audit(loop.step, batches, progress=False)
    assert report.ok, report
    assert_same(before, loop.read_state())
    for pair, twin in zip(batches, make_batches(), strict=True):
        assert all(map(torch.equal, pair, twin))


def raise_error(_loop: Loop, _batch: Batch) -> float:
    raise ValueError("no such label: 7")


def need_a_gpu(loop: Loop, batch: Batch) -> float:
    return loop.step((batch[0].to("cuda"), batch[1]))


@pytest.mark.parametrize(
    ("act", "said"),
    [(raise_error, "ValueError in call 1: no such label: 7"), (need_a_gpu, "in call 1")],
)
def test_a_step_that_raises_is_told_with_its_line(act: Callable[[Loop, Batch], float], said: str) -> None:
    loop = Loop()
    before = loop.read_state()

    def step(batch: Batch) -> float:
        return act(loop, batch)

    with pytest.raises(AuditError) as caught:
        tierproof.audit(step, make_batches(), progress=False)
    assert said in caught.value.message
    assert "test_bad_steps.py:" in caught.value.message
    assert caught.value.hint
    assert_same(before, loop.read_state())


def test_an_error_in_the_third_step_loses_nothing() -> None:
    loop = Loop()
    before = loop.read_state()

    def step(batch: Batch) -> float:
        loss = loop.step(batch)
        if loop.number == 6:
            raise RuntimeError("a full disk")
        return loss

    with pytest.raises(AuditError, match="RuntimeError in call 3: a full disk"):
        tierproof.audit(step, make_batches(), progress=False)
    assert_same(before, loop.read_state())


def test_a_step_that_returns_nothing_is_judged_without_its_loss() -> None:
    loop = Loop()

    def step(batch: Batch) -> None:
        loop.step(batch)

    report = tierproof.audit(step, make_batches(), progress=False)
    assert report.ok, report
    (loss,) = (result for result in report.results if result.code == "T3-LOSS")
    assert loss.reason == "the step returns no loss"


def test_a_step_that_trains_nothing_fails() -> None:
    loop = Loop()

    def step(batch: Batch) -> float:
        return F.cross_entropy(loop.model(batch[0]), batch[1]).item()

    report = tierproof.audit(step, make_batches(), progress=False, optimizer=loop.optimizer)
    codes = [finding.code for result in report.results for finding in result.errors]
    assert codes == ["T3-PARAM-009"], report
    assert "nothing called backward()" in str(report)


def test_two_models_are_asked_for_by_name() -> None:
    loop, other = Loop(), Loop()

    def step(batch: Batch) -> float:
        return loop.step(batch) + other.step(batch)

    before = loop.read_state()
    with pytest.raises(AuditError, match="the step trains 2 models") as caught:
        tierproof.audit(step, make_batches(), progress=False)
    assert "model=" in caught.value.hint
    assert_same(before, loop.read_state())


def test_what_is_not_found_is_asked_for_by_name() -> None:
    model = nn.Linear(8, 3)

    def step(batch: Batch) -> float:
        F.cross_entropy(model(batch[0]), batch[1]).backward()  # type: ignore[no-untyped-call]
        return 0.0

    with pytest.raises(AuditError, match="no optimizer was found") as caught:
        tierproof.audit(step, make_batches(), progress=False)
    assert "optimizer=" in caught.value.hint


def test_an_optimizer_out_of_reach_is_asked_for_by_its_class() -> None:
    model = nn.Linear(8, 3)
    hidden = {hash(model): torch.optim.SGD(model.parameters(), lr=0.1)}
    table = type("Table", (), {"__slots__": (), "find": staticmethod(hidden.__getitem__)})()

    def step(batch: Batch) -> float:
        loss = F.cross_entropy(model(batch[0]), batch[1])
        loss.backward()  # type: ignore[no-untyped-call]
        table.find(hash(model)).step()
        return float(loss)

    before = [each.detach().clone() for each in model.parameters()]
    with pytest.raises(AuditError, match=r"an optimizer \(SGD\) that was not found") as caught:
        tierproof.audit(step, make_batches(), progress=False)
    assert "optimizer=" in caught.value.hint
    assert all(torch.equal(*pair) for pair in zip(before, model.parameters(), strict=True))


def test_a_step_that_changes_its_batch_is_given_a_copy() -> None:
    loop, batches = Loop(), make_batches()

    def step(batch: Batch) -> float:
        batch[0].add_(1)
        return loop.step(batch)

    tierproof.audit(step, batches, progress=False)
    assert torch.equal(batches[0][0], make_batches()[0][0])


@pytest.mark.parametrize("call", [1, 3, 9, 12])
def test_ctrl_c_puts_everything_back(
    call: int, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    loop = Loop()
    before = loop.read_state()
    # The audit puts back what the step counts for itself; the environment it leaves alone.
    monkeypatch.setenv("CALLS_OF_THE_STEP", "0")

    def step(batch: Batch) -> float:
        loss = loop.step(batch)
        os.environ["CALLS_OF_THE_STEP"] = str(int(os.environ["CALLS_OF_THE_STEP"]) + 1)
        if os.environ["CALLS_OF_THE_STEP"] == str(call):
            os.kill(os.getpid(), signal.SIGINT)
            threading.Event().wait(5)
        return loss

    with pytest.raises(KeyboardInterrupt):
        tierproof.audit(step, make_batches(), progress=False)
    assert "everything was restored" in capsys.readouterr().err
    assert_same(before, loop.read_state())


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ({"step": 3, "batches": [1]}, "cannot be called"),
        ({"step": len}, "pass batches"),
        ({"step": len, "batches": []}, "batches is empty"),
        ({"batches": [1]}, "pass a step, or a model"),
    ],
)
def test_arguments_that_cannot_be_meant_are_refused(arguments: dict[str, Any], said: str) -> None:
    with pytest.raises(tierproof.TierproofError, match=said):
        tierproof.audit(**arguments, progress=False)

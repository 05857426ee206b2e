"""Sound steps in the styles of public training scripts are taken apart rightly, and no error is said of them."""

from __future__ import annotations

import copy
import cProfile
import functools
import types
from collections.abc import Generator, Iterator
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from training.public_style import (
    Batch,
    Step,
    audit,
    find_result,
    list_codes,
    list_errors,
    list_found,
    make_net,
    train,
)


@torch.no_grad()
def follow(average: nn.Module, model: nn.Module, decay: float) -> None:
    for mine, other in zip(average.parameters(), model.parameters(), strict=True):
        mine.mul_(decay).add_(other, alpha=1 - decay)


class Keeper(nn.Module):
    """Holds the model and its average, as EMA packages do."""

    def __init__(self, model: nn.Module) -> None:
        super().__init__()
        self.online = model
        self.average = copy.deepcopy(model).requires_grad_(False)


class Objective(nn.Module):
    """Computes the loss itself, and so is what the step calls."""

    def __init__(self, net: nn.Module) -> None:
        super().__init__()
        self.net = net

    def forward(self, batch: Batch) -> Tensor:
        return F.cross_entropy(self.net(batch[0]), batch[1])


def test_an_average_is_found_in_a_wrapper_and_beside_one() -> None:
    net = make_net()
    keeper, optimizer = Keeper(net), torch.optim.Adam(net.parameters(), 1e-3)

    def wrapped(batch: Batch) -> Tensor:
        loss = F.cross_entropy(net(batch[0]), batch[1])
        optimizer.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        optimizer.step()
        follow(keeper.average, net, 0.9)
        return loss

    objective, other = Objective(net), copy.deepcopy(net)

    def inner(batch: Batch) -> Tensor:
        loss: Tensor = objective(batch)
        optimizer.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        optimizer.step()
        follow(other, net, 0.9)
        return loss

    for step, model in ((wrapped, "Sequential"), (inner, "Objective")):
        report = audit(step)
        assert list_found(report, "model")[0].startswith(model)
        decays = find_result(report, "T3-EMA").measurements
        assert list(decays.values()) == [pytest.approx(0.9, abs=1e-3)]
        assert list_errors(report) == []


def test_an_average_that_hardly_moves_is_not_blamed_for_rounding() -> None:
    net = make_net()
    optimizer = torch.optim.AdamW(net.parameters(), 1e-5, weight_decay=0)
    average = [each.detach().clone() for each in net.parameters()]

    def step(batch: Batch) -> Tensor:
        loss = F.cross_entropy(net(batch[0]), batch[1])
        optimizer.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        optimizer.step()
        with torch.no_grad():
            for mine, other in zip(average, net.parameters(), strict=True):
                mine.mul_(0.9999).add_(other, alpha=1e-4)
        return loss

    assert list_errors(audit(step)) == []


def test_a_teacher_in_the_optimizer_may_follow_by_averaging() -> None:
    class Learner(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.student = make_net()
            self.teacher = copy.deepcopy(self.student).requires_grad_(False)

        def forward(self, inputs: Tensor) -> Tensor:
            return F.mse_loss(self.student(inputs), self.teacher(inputs + 1))

    learner = Learner()
    optimizer = torch.optim.Adam(learner.parameters(), 1e-3)

    def step(batch: Batch) -> Tensor:
        loss: Tensor = learner(batch[0])
        optimizer.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        optimizer.step()
        follow(learner.teacher, learner.student, 0.9)
        return loss

    assert list_errors(audit(step)) == []


def test_a_generator_is_not_blamed_for_its_critic() -> None:
    torch.manual_seed(0)
    maker, critic = nn.Linear(4, 8), nn.Linear(8, 1)
    optimizers = [torch.optim.SGD(each.parameters(), 0.1) for each in (maker, critic)]
    judge = nn.BCEWithLogitsLoss()

    def step(batch: Batch) -> float:
        ones, noise = torch.ones(len(batch[0]), 1), torch.randn(len(batch[0]), 4)
        critic.zero_grad()
        judge(critic(batch[0]), ones).backward()
        made = maker(noise)
        judge(critic(made.detach()), 1 - ones).backward()
        optimizers[1].step()
        maker.zero_grad()
        loss = judge(critic(made), ones)
        loss.backward()
        optimizers[0].step()
        return float(loss)

    for model in (maker, critic):
        report = audit(step, model=model)
        assert list_errors(report) == []
        assert "T3-AGAIN-002" not in list_codes(report)
        assert len(list_found(report, "optimizer")) == 1


def test_a_forward_pass_in_evaluation_trains_nothing_even_with_autograd_on() -> None:
    net = nn.Sequential(make_net(), nn.Dropout(0.1))
    optimizer = torch.optim.SGD(net.parameters(), 0.1)

    def step(batch: Batch) -> Tensor:
        net.train()
        optimizer.zero_grad()
        loss = F.cross_entropy(net(batch[0]), batch[1])
        loss.backward()  # type: ignore[no-untyped-call]
        optimizer.step()
        net.eval()
        net(batch[0])
        return loss

    assert "T3-MODES-001" not in list_codes(audit(step))


def test_an_update_by_hand_and_a_call_of_forward_are_seen() -> None:
    net = make_net()

    def step(batch: Batch) -> float:
        net.zero_grad()
        scores = net.forward(batch[0])  # type: ignore[no-untyped-call]
        loss = F.cross_entropy(scores, batch[1])
        loss.backward()  # type: ignore[no-untyped-call]
        with torch.no_grad():
            for parameter in net.parameters():
                parameter.sub_(0.1 * parameter.grad)  # type: ignore[operator]
        return float(loss)

    report = audit(step)
    assert list_errors(report) == []
    assert find_result(report, "T3-MODES").measurements["forward_passes"] >= 5
    assert find_result(report, "T3-TARGET").measurements["outputs_with_cross_entropy"] == 1


def test_two_losses_of_one_batch_and_closures_are_no_accumulation() -> None:
    net = make_net()
    optimizer = torch.optim.SGD(net.parameters(), 0.1)

    def twice(batch: Batch) -> float:
        optimizer.zero_grad()
        clean = F.cross_entropy(net(batch[0]), batch[1])
        clean.backward()  # type: ignore[no-untyped-call]
        other = F.cross_entropy(net(batch[0] + 0.1), batch[1])
        other.backward()  # type: ignore[no-untyped-call]
        optimizer.step()
        return float(clean + other)

    searching = torch.optim.LBFGS(net.parameters(), max_iter=2)

    def search(batch: Batch) -> Tensor:
        def closure() -> Tensor:
            searching.zero_grad()
            loss = F.cross_entropy(net(batch[0]), batch[1])
            loss.backward()  # type: ignore[no-untyped-call]
            return loss

        found: Tensor = searching.step(closure)  # type: ignore[no-untyped-call]
        return found

    for step in (twice, search):
        report = audit(step)
        assert list_errors(report) == []
        assert "T3-LOSS-001" not in list_codes(report)


def test_an_optimizer_around_another_is_taken_for_the_inner_one() -> None:
    class Around(torch.optim.Optimizer):
        def __init__(self, parameters: Iterator[nn.Parameter]) -> None:
            super().__init__(parameters, {"lr": 0.1})
            self.base = torch.optim.SGD(self.param_groups, lr=0.1)

    net = make_net()
    optimizer = Around(net.parameters())

    def step(batch: Batch) -> Tensor:
        loss = F.cross_entropy(net(batch[0]), batch[1])
        loss.backward()  # type: ignore[no-untyped-call]
        optimizer.base.step()
        optimizer.zero_grad()
        return loss

    report = audit(step)
    assert list_found(report, "optimizer")[0].startswith("SGD")
    assert list_errors(report) == []


def make_forms() -> dict[str, Step]:
    """One step in several forms."""
    net = make_net()
    optimizer = torch.optim.SGD(net.parameters(), 0.1)

    def generate() -> Generator[Any, Any, None]:
        loss: Any = None
        while True:
            loss = train(net, optimizer, (yield loss))

    running = generate()
    next(running)
    scope: dict[str, Any] = {"train": train, "kept": types.SimpleNamespace(net=net, optimizer=optimizer)}
    exec("def step(batch):\n    return train(kept.net, kept.optimizer, batch)", scope)
    return {
        "partial": functools.partial(train, net, optimizer),
        "generator": running.send,
        "exec": scope["step"],
        "dict": lambda batch: {"loss": train(net, optimizer, batch), "rate": 0.1},
    }


@pytest.mark.parametrize("form", ["partial", "generator", "exec", "dict"])
def test_a_step_is_searched_in_every_form(form: str) -> None:
    report = audit(make_forms()[form])
    assert list_errors(report) == []
    assert list_found(report, "model")[0].startswith("Sequential")


def test_a_profiler_that_runs_goes_on() -> None:
    profiler = cProfile.Profile()
    profiler.enable()
    try:
        report = audit(make_forms()["partial"])
    finally:
        profiler.disable()
    assert list_errors(report) == []


def test_models_of_runs_before_are_left_aside() -> None:
    old, net = make_net(), make_net()
    optimizer = torch.optim.SGD(net.parameters(), 0.1)
    stale = torch.optim.SGD(old.parameters(), 0.1)
    session = types.SimpleNamespace(models=[old, net], optimizers=[stale, optimizer], runs=0)

    def step(batch: Batch) -> Tensor:
        session.runs += 1
        return train(net, optimizer, batch)

    report = audit(step)
    assert list_errors(report) == []
    assert list_found(report, "model")[0].endswith("as net")
    assert len(list_found(report, "optimizer")) == 1

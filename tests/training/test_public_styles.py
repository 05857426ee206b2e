"""Sound steps in the styles of public training scripts are taken apart rightly, and no error is said of them."""

from __future__ import annotations

import copy
import cProfile
import functools
import types
from collections.abc import Callable, Generator, Iterator
from typing import Any

import pytest
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


def train(net: nn.Module, optimizer: torch.optim.Optimizer, batch: Batch) -> Tensor:
    optimizer.zero_grad()
    loss = F.cross_entropy(net(batch[0]), batch[1])
    loss.backward()  # type: ignore[no-untyped-call]
    optimizer.step()
    return loss


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


class Translator(nn.Module):
    """An encoder and a decoder over sequences whose first axis is time."""

    def __init__(self, rows_first: bool) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.words = nn.Embedding(20, 16)
        self.encoder = nn.GRU(16, 16, batch_first=rows_first)
        self.decoder = nn.GRU(16, 16, batch_first=rows_first)
        self.scores = nn.Linear(16, 20)

    def forward(self, source: Tensor, target: Tensor) -> Tensor:
        _, state = self.encoder(self.words(source))
        hidden, _ = self.decoder(self.words(target), state)
        scores: Tensor = self.scores(hidden)
        return scores


@pytest.mark.parametrize("copied", [False, True])
@pytest.mark.parametrize("rows_first", [False, True])
def test_sequences_may_begin_with_time_and_may_be_copies(rows_first: bool, copied: bool) -> None:
    model = Translator(rows_first)
    optimizer = torch.optim.Adam(model.parameters(), 1e-2)
    time = 1 if rows_first else 0

    def step(batch: Batch) -> float:
        source, target = batch
        length = target.shape[time] - 1
        optimizer.zero_grad()
        scores = model(source, target.narrow(time, 0, length))
        wanted = target.narrow(time, 1, length)
        loss = F.cross_entropy(scores.reshape(-1, 20), wanted.reshape(-1))
        loss.backward()  # type: ignore[no-untyped-call]
        optimizer.step()
        return loss.item()

    generator = torch.Generator().manual_seed(0)
    drawn = [torch.randint(0, 20, (8, 8), generator=generator) for _ in range(6)]
    batches = [(drawn[i], drawn[i].clone() if copied else drawn[i + 3]) for i in range(3)]
    report = audit(step, batches)
    assert list_errors(report) == []
    assert not list_codes(report) & {"T3-TARGET-006", "T3-TARGET-008"}


def test_a_list_of_losses_that_are_ignored_is_no_padding() -> None:
    torch.manual_seed(0)
    model = nn.Sequential(nn.Embedding(20, 16), nn.Linear(16, 20))
    optimizer = torch.optim.Adam(model.parameters(), 1e-2)

    def step(batch: Batch) -> float:
        loss = F.cross_entropy(model(batch[0]).reshape(-1, 20), batch[1].reshape(-1), ignore_index=-1)
        optimizer.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        optimizer.step()
        return loss.item()

    tokens = torch.randint(0, 20, (6, 9))
    targets = tokens[:, 1:].clone()
    for row in range(5):
        targets[row, 4 - row % 3 :] = -1
    assert "T3-TARGET-007" not in list_codes(audit(step, [(tokens[:, :-1], targets)]))


def make_accumulating(every: int, first: int, scheduled_each: bool) -> Step:
    net = make_net()
    optimizer = torch.optim.SGD(net.parameters(), 0.1)
    scheduler = torch.optim.lr_scheduler.LinearLR(optimizer, 0.1, 1.0, 100)
    calls = 0

    def step(batch: Batch) -> float:
        nonlocal calls
        loss = F.cross_entropy(net(batch[0]), batch[1]) / every
        loss.backward()  # type: ignore[no-untyped-call]
        if calls % every == first:
            optimizer.step()
            optimizer.zero_grad()
        if scheduled_each or calls % every == first:
            scheduler.step()
        calls += 1
        return loss.item()

    return step


def test_a_first_update_of_one_micro_batch_and_a_schedule_of_micro_batches_are_told() -> None:
    sound = audit(make_accumulating(2, first=1, scheduled_each=False))
    assert not list_codes(sound) & {"T3-ACCUM-003", "T3-SCHED-002"}
    assert find_result(sound, "T3-AGAIN").findings == ()
    early = audit(make_accumulating(2, first=0, scheduled_each=True))
    assert {"T3-ACCUM-003", "T3-SCHED-002"} <= list_codes(early)


def test_what_a_resumed_run_needs_is_named() -> None:
    net = make_net()
    optimizer = torch.optim.SGD(net.parameters(), 0.1)
    number = 0

    def step(batch: Batch) -> Tensor:
        nonlocal number
        number += 1
        optimizer.param_groups[0]["lr"] = 0.1 / number
        return train(net, optimizer, batch)

    found = find_result(audit(step), "T3-AGAIN").findings
    assert [(each.code, each.severity.value) for each in found] == [("T3-AGAIN-003", "info")]
    assert "number" in found[0].message
    assert number == 0


def test_data_from_a_generator_is_no_fault_of_repetition() -> None:
    net = make_net()
    optimizer = torch.optim.SGD(net.parameters(), 0.1)

    def cycle() -> Iterator[Batch]:
        while True:
            yield from make_batches()

    running = cycle()
    result = find_result(audit(lambda _: train(net, optimizer, next(running)), [None]), "T3-AGAIN")
    assert result.findings == ()
    assert "running" in result.reason


def test_a_gradient_below_epsilon_may_leave_a_weight_where_it_is() -> None:
    torch.manual_seed(0)
    first = nn.Linear(8, 16)
    net = nn.Sequential(first, nn.Linear(16, 3))
    nn.init.constant_(first.bias, 0.5)
    first.bias.register_hook(lambda gradient: gradient * 1e-12)  # type: ignore[no-untyped-call]
    optimizer = torch.optim.Adam(net.parameters(), 1e-4)
    assert list_errors(audit(lambda batch: train(net, optimizer, batch))) == []


def test_taking_batches_from_a_loader_leaves_the_generators_as_they_were() -> None:
    net = make_net()
    optimizer = torch.optim.SGD(net.parameters(), 0.1)
    data = torch.utils.data.TensorDataset(torch.randn(12, 8), torch.randint(0, 3, (12,)))
    loader = torch.utils.data.DataLoader(data, batch_size=4, shuffle=True)
    before = torch.get_rng_state()
    tierproof.audit(lambda batch: train(net, optimizer, batch), loader, progress=False)
    assert torch.equal(before, torch.get_rng_state())


class Shifting(Translator):
    """Makes the decoder's input of the labels, and leaves its sources' padding out, as encoder-decoders do."""

    def read(self, source: Tensor, mask: Tensor, target: Tensor) -> Tensor:
        shifted = F.pad(target.clamp(min=0)[:, :-1], (1, 0))
        state = (self.words(source) * mask[..., None]).sum(1)[None]
        hidden, _ = self.decoder(self.words(shifted), state)
        scores: Tensor = self.scores(hidden)
        return scores

    forward = read  # type: ignore[assignment]


def test_the_mask_of_sources_says_nothing_of_labels_of_the_same_length() -> None:
    model = Shifting(rows_first=True)
    optimizer = torch.optim.Adam(model.parameters(), 1e-2)

    def step(batch: dict[str, Tensor]) -> float:
        scores = model(batch["input_ids"], batch["attention_mask"], batch["labels"])
        loss = F.cross_entropy(scores.reshape(-1, 20), batch["labels"].reshape(-1))
        optimizer.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        optimizer.step()
        return loss.item()

    generator = torch.Generator().manual_seed(0)
    batches = []
    for alike in (True, False):  # one value at the source's padding may be chance
        sources, labels = (torch.randint(1, 20, (4, 9), generator=generator) for _ in range(2))
        mask = torch.ones_like(sources)
        mask[0, 5:] = 0
        if alike:
            labels[0, 6:] = 7
        batches.append({"input_ids": sources * mask, "attention_mask": mask, "labels": labels})
    for batch in batches:
        assert list_errors(audit(step, [batch])) == []

"""Sound steps over sequences, and over updates that follow each other, in the styles of public training scripts."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

import tierproof
from training.public_style import (
    Batch,
    Step,
    audit,
    find_result,
    list_codes,
    list_errors,
    make_batches,
    make_net,
    train,
)


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


def test_a_sum_of_losses_is_not_held_to_the_chance_of_one() -> None:
    torch.manual_seed(0)
    body, words, pair = nn.Linear(8, 16), nn.Linear(16, 2000), nn.Linear(16, 2)
    model = nn.ModuleDict({"body": body, "words": words, "pair": pair})
    optimizer = torch.optim.SGD(model.parameters(), 0.01)

    class Heads(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.parts = model

        def forward(self, inputs: Tensor) -> tuple[Tensor, Tensor]:
            hidden = body(inputs)
            return pair(hidden), words(hidden)

    heads = Heads()

    def step(batch: Batch) -> float:
        two, many = heads(batch[0])
        lost = F.cross_entropy(many, batch[1])
        loss = F.cross_entropy(two, batch[1].clamp(max=1)) + lost
        optimizer.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        optimizer.step()
        return float(loss.detach())

    report = audit(step)
    assert list_errors(report) == []
    assert "T3-LOSS-002" not in list_codes(report)

"""Loops around the shared cases' models: the faulty loop is found, and its mended twin is silent."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path

import pytest
import torch
from torch.nn import functional as F

import tierproof

PLACES = [parent / "shared" / "cases" / "bugs" for parent in Path(__file__).resolve().parents]
CASES = next((place for place in PLACES if (place / "_loop.py").exists()), None)
pytestmark = pytest.mark.skipif(CASES is None, reason="the shared cases are not at hand")


@pytest.fixture
def case(monkeypatch):
    """Loads a case by the end of its name."""
    monkeypatch.syspath_prepend(str(CASES))

    def load(name):
        path = next(CASES.glob(f"*_{name}.py"))
        spec = importlib.util.spec_from_file_location(f"case_{name}", path)
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
        return module

    yield load
    sys.modules.pop("_loop", None)


def alarms(step, loop):
    report = tierproof.audit(step, [loop.batch(seed=seed) for seed in range(4)], progress=False)
    return [finding for finding in report.findings if finding.severity != "info"]


def make_plain(loop, model, optimizer, before_step=None, after=None):
    done = {"steps": 0}
    model.train()

    def step(batch):
        x, y = batch
        optimizer.zero_grad()
        loss = F.cross_entropy(model(x), y)
        loss.backward()
        if before_step is not None:
            before_step()
        optimizer.step()
        if after is not None:
            after(done["steps"])
        done["steps"] += 1
        return loss.item()

    return step


@pytest.mark.parametrize("faulty", [True, pytest.param(False, marks=pytest.mark.slow)])
def test_parameter_groups_without_the_pooler(case, faulty):
    loop = case("optimizer_lacks_pooler")
    model = loop.new()
    found = alarms(make_plain(loop, model, torch.optim.AdamW(loop.groups(model, faulty), 1e-3)), loop)
    assert bool(found) is faulty
    assert all("pooler" in each.message for each in found)


@pytest.mark.parametrize("faulty", [True, pytest.param(False, marks=pytest.mark.slow)])
def test_clipping_before_the_scale_is_taken_out(case, faulty):
    loop = case("clip_before_unscale")
    model, scale = loop.new(p=0.0), 2.0**16
    optimizer = torch.optim.SGD(model.parameters(), 0.5)
    parameters = list(model.parameters())

    def step(batch):
        x, y = batch
        model.train()
        optimizer.zero_grad()
        loss = F.cross_entropy(model(x), y)
        (loss * scale).backward()
        if faulty:
            torch.nn.utils.clip_grad_norm_(parameters, 1.0)
        for parameter in parameters:
            parameter.grad /= scale
        if not faulty:
            torch.nn.utils.clip_grad_norm_(parameters, 1.0)
        optimizer.step()
        return loss.item()

    found = alarms(step, loop)
    assert ("T3-CLIP-001" in [each.code for each in found]) is faulty
    assert faulty or not found


@pytest.mark.parametrize("faulty", [True, pytest.param(False, marks=pytest.mark.slow)])
def test_a_warm_up_that_is_stepped_per_epoch(case, faulty):
    loop = case("noam_stepped_per_epoch")
    model = loop.new()
    optimizer = torch.optim.Adam(model.parameters(), 3e-3)
    schedule = torch.optim.lr_scheduler.LambdaLR(
        optimizer, lambda t: min((t + 1) ** -0.5 * 20, (t + 1) * 20 * 400**-1.5)
    )

    def after(index):
        if not faulty or index % 60 == 59:
            schedule.step()

    found = alarms(make_plain(loop, model, optimizer, after=after), loop)
    assert [each.code for each in found] == (["T3-SCHED-003"] if faulty else [])


@pytest.mark.parametrize("faulty", [True, pytest.param(False, marks=pytest.mark.slow)])
def test_a_model_that_is_left_in_evaluation_mode(case, faulty):
    loop = case("not_back_to_train")
    model = loop.new(p=0.5)
    optimizer = torch.optim.Adam(model.parameters(), 1e-3)

    def after(index):
        if index % 10 == 9:
            model.eval()
            with torch.no_grad():
                model(loop.batch(seed=99)[0])
            if not faulty:
                model.train()

    found = alarms(make_plain(loop, model, optimizer, after=after), loop)
    assert [each.code for each in found] == (["T3-MODES-001"] if faulty else [])

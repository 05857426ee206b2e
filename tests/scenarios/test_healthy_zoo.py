"""A healthy model gets no error, and no check crashes on it: over the whole zoo, and at fifty seeds."""

from __future__ import annotations

import importlib
import sys
import time
from pathlib import Path

import pytest
from torch import nn

from tierproof import check
from tierproof.core.finding import Severity
from zoo.explained import EXPLAINED
from zoo.healthy import FIRST, ZooModel, list_zoo
from zoo.not_tiny import NOT_TINY

transformers = pytest.importorskip("transformers")
_FOLDER = str(Path(__file__).resolve().parents[2] / "benchmarks")


@pytest.fixture(scope="module")
def benchmark():
    sys.path.insert(0, _FOLDER)
    try:
        yield importlib.import_module("healthy_zoo")
    finally:
        sys.path.remove(_FOLDER)


def refuse_alarms(model: ZooModel, seed: int = 0) -> None:
    report = check(model.build(seed), seed=seed, progress=False)
    alarms = [
        f"{finding.code} {finding.where}: {finding.message}"
        for result in report.results
        for finding in result.findings
        if finding.severity is Severity.ERROR and (model.name, finding.code) not in EXPLAINED
    ]
    assert not alarms
    assert not [f"{r.code}: {r.reason}" for r in report.results if r.outcome.value == "errored"]


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """One test for each other model of the zoo, where slow tests run: listing them imports transformers whole."""
    if "other_model" in metafunc.fixturenames:
        models = () if "not slow" in metafunc.config.option.markexpr else list_zoo()[len(FIRST) :]
        metafunc.parametrize("other_model", models, ids=[model.name for model in models])


# A few in every run; the others of the first thirty with the slow tests.
QUICK = 3


@pytest.mark.parametrize(
    "name", [*FIRST[:QUICK], *(pytest.param(name, marks=pytest.mark.slow) for name in FIRST[QUICK:])]
)
def test_no_alarm_on_the_first_of_the_zoo(name):
    (model,) = (model for model in list_zoo() if model.name == name)
    refuse_alarms(model)


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_no_alarm_on_the_rest_of_the_zoo(other_model):
    refuse_alarms(other_model)


@pytest.mark.slow
@pytest.mark.timeout(4 * 3600)
def test_no_seed_changes_a_verdict(benchmark, tmp_path):
    benchmark.prepare_process()
    records = benchmark.check_at_seeds(list_zoo()[: len(FIRST)], tmp_path / "seeds.jsonl")
    table, stable = benchmark.summarize_seeds(records)
    assert stable, table


def test_the_order_is_kept_and_the_first_are_of_every_family():
    models = list_zoo()
    assert [model.name for model in models] == [model.name for model in list_zoo()]
    assert len({model.name for model in models}) == len(models)
    assert {model.family for model in models[: len(FIRST)]} >= {
        "hand-written", "torch.nn", "causal-lm", "encoder", "encoder-decoder", "vision", "audio", "multimodal",
    }  # fmt: skip
    assert sum(model.name.startswith("hf-") for model in models) >= 200


def test_what_is_explained_or_left_out_exists_and_is_not_both():
    names = {model.name for model in list_zoo()}
    assert {name for name, _ in EXPLAINED} <= names
    assert not {f"hf-{model_type}" for model_type in NOT_TINY} & names


def test_a_model_that_hangs_or_dies_does_not_stop_the_sweep(benchmark, tmp_path):
    models = (
        ZooModel("hangs", "torch.nn", lambda seed: time.sleep(60)),
        ZooModel("raises", "torch.nn", lambda seed: 1 // 0),
        ZooModel(
            "works", "torch.nn", lambda seed: nn.Sequential(nn.Linear(3, 4), nn.Tanh(), nn.Linear(4, 2))
        ),
    )
    out = tmp_path / "sweep.jsonl"
    (hung,) = benchmark.sweep(models[:1], out, limit_s=1.0)
    raised, worked = benchmark.sweep(models[1:], out, limit_s=60.0)
    assert hung["failure"] == "over 1 s"
    assert raised["failure"].startswith("ZeroDivisionError")
    assert worked["verdict"] == "pass"
    assert worked["seconds"] > 0
    before = out.read_text()
    assert benchmark.sweep(models, out, limit_s=60.0) == [hung, raised, worked]
    assert out.read_text() == before
    out.write_text(before.replace(worked["code"], "0123456789abcdef") + '{"name": "cut sh')
    benchmark.sweep(models[1:], out, limit_s=60.0)
    assert len(out.read_text().splitlines()) == 6


def test_the_table_misses_the_bar_for_an_error_that_nobody_explains(benchmark):
    def record(name: str, *codes: str) -> dict[str, object]:
        findings = [{"code": code, "severity": "error"} for code in codes]
        return {
            "name": name, "family": "encoder", "seed": 0, "verdict": "fail" if codes else "pass", "seconds": 1.0,
            "cpu_seconds": 0.5, "findings": findings, "errored": {},
        }  # fmt: skip

    table, met = benchmark.summarize([record("a"), record("b")])
    assert met
    assert "0 of 2 models" in table
    table, met = benchmark.summarize([record("a"), record("b", "T1-PAD-001")])
    assert not met
    assert "NOT EXPLAINED" in table
    changing = [record("a"), {**record("a", "T1-PAD-001"), "seed": 1}]
    table, met = benchmark.summarize_seeds(changing)
    assert not met
    assert "T1-PAD-001" in table

"""Read T2-ROBUSTNESS's measurements back from a report."""

from __future__ import annotations

from collections.abc import Mapping

from tierproof.analysis.robustness.robustness_figures import ModelRobustness, PerturbationFigures
from tierproof.checks.measurements.read_interval import read_interval
from tierproof.checks.measurements.read_value import read_amount, read_count, read_finite, read_records
from tierproof.core.json_value import JsonValue


def read_robustness(document: Mapping[str, JsonValue]) -> ModelRobustness:
    """Read what `ModelRobustness.to_dict` wrote; what is missing or misshapen is absent."""
    reasons = document.get("not_measured")
    return ModelRobustness(
        model=str(document.get("model", "")),
        inputs=str(document.get("inputs", "")),
        answer=str(document.get("answer", "")),
        reference=str(document.get("reference", "")),
        rows=read_count(document.get("rows")) or 0,
        unperturbed=read_interval(document.get("unperturbed")),
        chance=read_amount(document.get("chance_share")),
        chance_cosine=read_finite(document.get("chance_cosine")),
        median_gap=read_amount(document.get("median_gap")),
        perturbations=tuple(
            _read_perturbation(record) for record in read_records(document.get("perturbations"))
        ),
        not_measured=tuple((str(name), str(reason)) for name, reason in reasons.items())
        if isinstance(reasons, Mapping)
        else (),
        complete=document.get("complete") is not False,
        assumed=str(document.get("assumed", "")),
        seed=read_count(document.get("seed")) or 0,
    )


def _read_perturbation(record: Mapping[str, JsonValue]) -> PerturbationFigures:
    return PerturbationFigures(
        name=str(record.get("name", "")),
        strength=read_amount(record.get("strength")) or 0.0,
        setting=str(record.get("setting", "")),
        rows=read_count(record.get("rows")) or 0,
        kept=read_interval(record.get("kept")),
        decided_kept=read_interval(record.get("decided_kept")),
        kl_nats=read_interval(record.get("kl_nats")),
        cosine=read_interval(record.get("cosine")),
        relative_error=read_amount(record.get("relative_error")),
        mean_rank=read_amount(record.get("mean_rank")),
        broken=read_count(record.get("broken")) or 0,
    )

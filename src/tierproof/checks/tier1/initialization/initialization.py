"""T1-INIT, parameter initialisation: each layer starts from values that a published scheme could give.

What it does: measures mean and standard deviation of every weight, names the scheme that it resembles, and looks for
what no scheme gives: NaN, copies, constant matrices, and standard deviations far beyond all schemes.

Why it matters: layers that start as copies or constants learn the same for a long time. A standard deviation ten
times too large gives a first loss that takes a day of training to undo.

Evidence: the standard deviation compared with the schemes for the same shape, and the consequence: the loss against
random targets compared with ln V, and the standard deviation of the logits.

Exemptions: statistical rules apply to fresh models; a model whose norms have changed is reported as trained. Rules on
the standard deviation alone are wrong on 25 of 136 healthy language models, so it is reported only with a measured
consequence. Copies inside torch.nn.TransformerEncoder and -Decoder are made by PyTorch and get an info. All-zero
matrices get an info if a gradient reaches them (LoRA, ReZero, zero-initialised heads). The last norm of a residual
branch may start at zero.

Findings:
    T1-INIT-001 error: a parameter contains NaN or infinity.
    T1-INIT-002 warning: random matrices that are not tied are bit-equal.
    T1-INIT-003 warning: a matrix is all zero and gets no gradient, so it stays zero.
    T1-INIT-004 warning: the standard deviation of weights is ten times that of any published scheme, and the first
        loss is too high.
    T1-INIT-005 warning: all rows, or all columns, of a matrix are equal.
    T1-INIT-006 info: known and harmless copies or zeros.
    T1-INIT-007 info: the model looks trained, so rules for fresh parameters were not applied.
    T1-INIT-008 warning: the gain of a norm is zero, so the layer after it receives only zeros.
    T1-INIT-009 warning or info: the padding row of a fresh embedding is not zero, and no gradient changes it (an info
        for transformers' own models).

Source: nn.init's documentation, Glorot 2010, He 2015, GPT-2, T5; thresholds below.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from tierproof.checks.check import Check, CheckContext, CheckOutput
from tierproof.checks.claim import claim_error
from tierproof.checks.measurements.weight_scales import LayerScale, WeightScales
from tierproof.checks.tier1.initialization.padding_rows import judge_padding_rows
from tierproof.checks.tier1.initialization.zero_gains import judge_zero_gains
from tierproof.checks.tier1.initialization.zero_release import find_freed_later
from tierproof.core.finding import Finding, Severity
from tierproof.core.json_value import JsonValue
from tierproof.model.describe.basis import Basis
from tierproof.model.describe.subject import Subject
from tierproof.model.gradients.gradient_pass import run_gradient_pass
from tierproof.model.gradients.objective import TARGET_STREAM
from tierproof.model.observe.weight_statistics import (
    WeightStatistics,
    count_layers,
    fingerprint,
    has_equal_rows_or_columns,
    is_frozen_mask,
    list_schemes,
    looks_trained,
    measure_weight,
    name_scheme,
)
from tierproof.model.sizes.readable_values import make_dense

CODE = "T1-INIT"
# Ten times every published width: LSUV, μP and residual scaling all stay within a factor of four.
_TOO_WIDE = 10.0
# A uniform guess costs ln V; 3 nats more, or logits as wide as 10, is a confident wrong answer.
_EXCESS_LOSS = 3.0
_WIDE_LOGITS = 10.0
_GRADIENT_INPUTS = 3
_PATHS_SHOWN = 6


def check_initialization(context: CheckContext) -> CheckOutput:
    """Measure all weights and judge them; see the module's docstring."""
    subject = context.subject
    subject.model.eval()
    weights, tensors = _measure_all(subject.model)
    findings = _judge_finite(weights)
    layers = _describe_layers(subject, weights)
    trained = not findings and looks_trained(subject.model)
    if findings:
        return CheckOutput(tuple(findings), WeightScales(layers, {"looks_trained": trained}))
    findings += _judge_constant(weights, tensors)
    findings += _judge_copies(subject.model, weights, tensors, trained=trained)
    findings += _judge_zeros(context, weights)
    findings += judge_zero_gains(subject, context.seed)
    consequence = _measure_consequence(context)
    if trained:
        findings.append(
            Finding(
                f"{CODE}-007",
                Severity.INFO,
                "The model looks trained, because the weights of its normalisation layers differ from their initial "
                "values. Rules for freshly initialised parameters were not applied.",
                hint="Check a freshly built model to apply these rules as well.",
            )
        )
    else:
        findings += _judge_width(subject, weights, consequence)
        findings += judge_padding_rows(subject.model)
    return CheckOutput(tuple(findings), WeightScales(layers, {"looks_trained": trained, **consequence}))


def _measure_all(model: nn.Module) -> tuple[list[WeightStatistics], dict[tuple[str, str], Tensor]]:
    """Every floating parameter once, by owner and name."""
    weights: list[WeightStatistics] = []
    tensors: dict[tuple[str, str], Tensor] = {}
    modules = dict(model.named_modules())
    for full_name, parameter in model.named_parameters():
        if not parameter.is_floating_point() or parameter.numel() == 0 or is_frozen_mask(parameter):
            continue
        path, _, name = full_name.rpartition(".")
        weights.append(measure_weight(modules[path], path, name, parameter))
        tensors[path, name] = parameter
    return weights, tensors


def _describe_layers(subject: Subject, weights: Sequence[WeightStatistics]) -> tuple[LayerScale, ...]:
    config, layers = getattr(subject.model, "config", None), count_layers(subject.model)
    described: list[LayerScale] = []
    for weight in weights:
        if weight.name.endswith("bias"):
            continue
        scheme, expected = name_scheme(weight, list_schemes(weight, config, layers))
        described.append(
            LayerScale(
                path=weight.path,
                kind=weight.kind,
                std=weight.std,
                expected_std=expected,
                parameter=weight.name,
                shape=tuple(weight.shape),
                mean=weight.mean,
                scheme=scheme,
            )
        )
    return tuple(described)


def _judge_finite(weights: Sequence[WeightStatistics]) -> list[Finding]:
    return [
        claim_error(
            f"{CODE}-001",
            f"The parameter `{weight.name}` of {f'`{weight.path}`' if weight.path else 'the model'} contains NaN or "
            "infinity.",
            where=weight.path,
            evidence={"parameter": weight.name, "shape": list(weight.shape)},
            hint="Initialise it (`torch.empty` does not), or load a checkpoint from before training diverged.",
            rests_on=Basis.STATE,
        )
        for weight in weights
        if not weight.finite
    ]


def _judge_constant(
    weights: Sequence[WeightStatistics], tensors: dict[tuple[str, str], Tensor]
) -> list[Finding]:
    findings = []
    for weight in weights:
        matrix = weight.kind in ("linear", "convolution", "embedding", "recurrent") and weight.fan_in > 1
        if (
            not matrix
            or weight.zero
            or weight.fan_out < 2
            or (weight.kind == "embedding" and weight.constant)
        ):
            continue
        if weight.name.endswith(("weight", "weight_ih_l0", "weight_hh_l0")) and has_equal_rows_or_columns(
            tensors[weight.path, weight.name]
        ):
            findings.append(
                Finding(
                    f"{CODE}-005",
                    Severity.WARNING,
                    f"`{weight.path}` starts with equal rows or columns, so its units compute the same and "
                    "learn the same.",
                    where=weight.path,
                    evidence={"parameter": weight.name, "mean": weight.mean, "std": weight.std},
                    hint="Initialise it randomly, for example with `nn.init.xavier_uniform_`.",
                )
            )
    return findings


def _judge_copies(
    model: nn.Module,
    weights: Sequence[WeightStatistics],
    tensors: dict[tuple[str, str], Tensor],
    *,
    trained: bool,
) -> list[Finding]:
    groups: dict[tuple[object, ...], list[WeightStatistics]] = {}
    for weight in weights:
        # Tables such as sinusoids or decay rates are equal by formula; a random matrix is not.
        if (
            weight.random
            and weight.kind in ("linear", "convolution", "recurrent")
            and min(weight.shape[:2]) > 1
        ):
            groups.setdefault(fingerprint(tensors[weight.path, weight.name]), []).append(weight)
    copies: list[list[WeightStatistics]] = []
    for group in groups.values():
        first = tensors[group[0].path, group[0].name]
        equal = [w for w in group if torch.equal(make_dense(tensors[w.path, w.name]), make_dense(first))]
        frozen = all(not tensors[w.path, w.name].requires_grad for w in equal[1:])
        if len(equal) > 1 and not frozen and not _is_formula(first):
            copies.append(equal)
    cloned = [g for g in copies if all(_is_cloned_by_torch(model, w.path) for w in g)]
    own = [g for g in copies if g not in cloned]
    findings = []
    if cloned:
        findings.append(
            _report_copies(
                cloned, Severity.INFO, "006", "because torch.nn.TransformerEncoder copies its layer"
            )
        )
    if own and not trained:
        findings.append(_report_copies(own, Severity.WARNING, "002", "although they are not tied"))
    return findings


def _is_formula(weight: Tensor) -> bool:
    """Few distinct values: identity, one-hot or mask matrices rather than random ones."""
    sample = make_dense(weight.detach()).reshape(-1)[:4096]
    return int(torch.unique(sample).numel()) < max(3, sample.numel() // 4)


def _is_cloned_by_torch(model: nn.Module, path: str) -> bool:
    parts = path.split(".")
    stacks = (nn.TransformerEncoder, nn.TransformerDecoder)
    return any(
        isinstance(model.get_submodule(".".join(parts[:length])), stacks) for length in range(len(parts))
    )


def _report_copies(
    groups: list[list[WeightStatistics]], severity: Severity, number: str, why: str
) -> Finding:
    most = max(groups, key=len)
    return claim_error(
        f"{CODE}-{number}",
        f"{sum(len(g) for g in groups)} random matrices start with only {len(groups)} different set(s) of values, "
        f"{why}: `{most[0].path}` equals `{most[1].path}`.",
        where=most[1].path,
        evidence={"paths": [w.path for w in most[:_PATHS_SHOWN]], "groups": len(groups)},
        hint="Initialise each layer after copying it: `copy.deepcopy` copies weights, and a repeated seed "
        "repeats them.",
        rests_on=Basis.STATE,
        at_most=severity,
    )


def _judge_zeros(context: CheckContext, weights: Sequence[WeightStatistics]) -> list[Finding]:
    """A zero matrix that a gradient reaches leaves zero with the first step; one without stays there."""
    zeros = [
        w
        for w in weights
        if w.zero and w.fan_in > 1 and w.fan_out > 1 and w.kind in ("linear", "convolution")
    ]
    if not zeros:
        return []
    moved: set[str] = set()
    used: set[int] = set()
    subject = context.subject
    for number in range(_GRADIENT_INPUTS):
        call = subject.make_call(seed=context.seed + number)
        result = run_gradient_pass(subject, call, context.seed)
        moved |= {name for name, norm in result.norms.items() if norm}
        used |= set(result.log.used)
    # What the forward does not use cannot be judged by its gradient.
    trainable = {name for name, p in subject.model.named_parameters() if p.requires_grad and id(p) in used}
    waiting = trainable - moved
    stuck = [w for w in zeros if _full_name(w) in waiting and "expert" not in w.path.lower()]
    if stuck:
        freed = find_freed_later(subject, waiting, moved, context.seed)
        stuck = [w for w in stuck if _full_name(w) not in freed]
    rest = [w for w in zeros if w not in stuck]
    findings = [
        Finding(
            f"{CODE}-003",
            Severity.WARNING,
            f"`{w.path}` is all zero and gets no gradient, so it stays zero.",
            where=w.path,
            evidence={"parameter": w.name, "shape": list(w.shape)},
            hint="Initialise it or the layer after it randomly: of two consecutive zero matrices, neither gets a "
            "gradient.",
        )
        for w in stuck[:_PATHS_SHOWN]
    ]
    if rest:
        findings.append(
            Finding(
                f"{CODE}-006",
                Severity.INFO,
                f"All values of {len(rest)} weight matrix(es) are exactly zero at the start; training can change them.",
                where=rest[0].path if len(rest) == 1 else "",
                evidence={"paths": [w.path for w in rest[:_PATHS_SHOWN]]},
                hint="Nothing to do for a zero-initialised branch or head; initialise any other matrix randomly.",
            )
        )
    return findings


def _full_name(weight: WeightStatistics) -> str:
    return f"{weight.path}.{weight.name}" if weight.path else weight.name


def _measure_consequence(context: CheckContext) -> dict[str, JsonValue]:
    """Loss against random targets beside ln V, and the spread of the answer."""
    subject = context.subject
    with torch.no_grad():
        answer = subject.answer(subject.make_call(seed=context.seed)).detach()
    if answer.is_complex() or answer.numel() < 2:
        return {}
    values = answer.double()
    finite = values[values.isfinite()]
    measured: dict[str, JsonValue] = {"answer_std": float(finite.std()) if finite.numel() > 1 else 0.0}
    if subject.outputs.role == "logits" and answer.dim() >= 2:
        rows = values.flatten(0, -2)
        generator = torch.Generator().manual_seed(context.seed + TARGET_STREAM)
        targets = torch.randint(rows.shape[-1], rows.shape[:1], generator=generator).to(rows.device)
        measured["initial_loss"] = float(F.cross_entropy(rows, targets))
        measured["uniform_loss"] = math.log(rows.shape[-1])
    return measured


def _judge_width(
    subject: Subject, weights: Sequence[WeightStatistics], consequence: dict[str, JsonValue]
) -> list[Finding]:
    loss, uniform = consequence.get("initial_loss"), consequence.get("uniform_loss")
    spread = consequence.get("answer_std")
    if not (isinstance(loss, float) and isinstance(uniform, float) and isinstance(spread, float)):
        return []
    if not (loss - uniform > _EXCESS_LOSS or spread > _WIDE_LOGITS):
        return []
    config, layers = getattr(subject.model, "config", None), count_layers(subject.model)
    projected = _find_tied_heads(subject.model)
    wide: list[tuple[float, WeightStatistics]] = []
    for measured in weights:
        # A table that is tied to the output projection must have a projection's width.
        weight = replace(measured, kind="linear") if _full_name(measured) in projected else measured
        schemes = list_schemes(weight, config, layers)
        if weight.random and weight.kind in ("linear", "embedding", "convolution", "recurrent") and schemes:
            ratio = weight.std / max(schemes.values())
            if ratio >= _too_wide(weight):
                wide.append((ratio, weight))
    if not wide:
        return []
    ratio, worst = max(wide, key=lambda item: item[0])
    return [
        Finding(
            f"{CODE}-004",
            Severity.WARNING,
            f"{len(wide)} layers start with weights whose standard deviation is up to {ratio:.0f} times that of any "
            f"published scheme; the first loss is {loss:.1f}, but a uniform prediction has a loss of {uniform:.1f}.",
            where=worst.path,
            evidence={
                "std": worst.std,
                "published_std": worst.std / ratio,
                "ratio": ratio,
                "initial_loss": loss,
                "uniform_loss": uniform,
                "logits_std": spread,
                "paths": [w.path for _, w in wide[:_PATHS_SHOWN]],
            },
            hint="Use `nn.init.normal_(weight, std=0.02)` or PyTorch's default for this layer.",
        )
    ]


def _find_tied_heads(model: nn.Module) -> set[str]:
    """Names of parameters that an embedding shares with a linear layer."""
    tables = {id(m.weight) for m in model.modules() if isinstance(m, nn.Embedding)}
    heads = {id(m.weight) for m in model.modules() if isinstance(m, nn.Linear)}
    return {name for name, parameter in model.named_parameters() if id(parameter) in tables & heads}


def _too_wide(weight: WeightStatistics) -> float:
    """Ten times, or half of what a standard deviation of 1 is where the layer is too narrow to reach that."""
    if weight.kind == "embedding" or not weight.fan_in:
        return _TOO_WIDE
    return min(_TOO_WIDE, max(3.0, 0.5 / math.sqrt(2 / weight.fan_in)))


CHECK = Check(
    CODE,
    "parameter initialisation",
    1,
    check_initialization,
    needs=("parameter values",),
    cost_steps=0.8,
    value=68,
)

"""T1-PART: the main output trains each layer that it depends on, and all blocks of a stack use the same parts.

What it does: takes the gradient of the main output alone, and of the model's other scalar outputs. It looks for
layers that change the main output but get a gradient only from the others, for losses without a gradient, for parts
that all but a few blocks of a stack use, for a norm that one module leaves unused and another of its class uses, and
for layers that are frozen at freshly drawn weights. It runs enough tokens for every expert, and looks for experts
that get none.

Why it matters: a router whose weights are detached is trained by the load balancing alone, and never learns which
expert is right. A gate that one layer forgot, or an expert that the dispatch leaves out, wastes parameters.

Evidence: the change of the main output when the layer's weights are drawn again; the number of blocks that use the
part; the number of tokens.

Exemptions: tables (a codebook is trained by a loss of its own), the last block of a stack (whose output may not be
needed by a later block), experts, and what the config or an optional input leaves unused in all blocks. Experts are
judged only in untrained models with few experts. Frozen layers are not reported if they are trained, a copy of a
trainable part, or most of the model.

Findings:
    T1-PART-001 warning: the main output depends on a layer, but only another output gives it a gradient.
    T1-PART-002 warning: an output called a loss has no gradient.
    T1-PART-003 warning: one block leaves a part unused that its siblings use.
    T1-PART-004 warning: an expert of an untrained model gets no token.
    T1-PART-005 warning: a stack of layers is frozen at freshly drawn weights.

Source: Shazeer et al. 2017 (arXiv 1701.06538), section 2: the gate is trained through the weights of its choice.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from tierproof.checks.check import Check, CheckContext, CheckOutput
from tierproof.checks.tier1.trained_parts.frozen_parts import judge_frozen_parts
from tierproof.checks.tier1.trained_parts.idle_experts import judge_experts
from tierproof.checks.tier1.trained_parts.idle_siblings import judge_siblings
from tierproof.core.finding import Finding, Severity
from tierproof.core.json_value import JsonValue
from tierproof.model.call.call import Call
from tierproof.model.call.substitution import draw_noise, run_substituted
from tierproof.model.compare.comparison import find_tolerance, measure_change
from tierproof.model.compare.short_call import list_calls
from tierproof.model.describe.subject import Subject
from tierproof.model.gradients.objective import collect_answers
from tierproof.model.observe.execution_trace import ExecutionTrace
from tierproof.model.observe.weight_statistics import looks_trained

_NAMES_SHOWN = 8


@dataclass(frozen=True)
class _Gradients:
    """Which parameters the main output and the other scalar outputs give a gradient.

    Attributes:
        by_answer: sizes of the main output's gradient by name; None where the main output does not depend on it.
        by_others: the same of the other scalars.
        detached: outputs called a loss that carry no gradient.
        entered: paths of the modules that ran.
    """

    by_answer: Mapping[str, float | None]
    by_others: Mapping[str, float | None]
    detached: tuple[str, ...]
    entered: frozenset[str]

    @property
    def used(self) -> dict[str, bool]:
        """By the name of a parameter, whether an output depends on it."""
        return {
            name: size is not None or self.by_others.get(name) is not None
            for name, size in self.by_answer.items()
        }


def run(context: CheckContext) -> CheckOutput:
    """Run the check."""
    subject = context.subject
    subject.model.eval()
    measured: dict[str, JsonValue] = {}
    findings: list[Finding] = []
    for call in list_calls(subject, context.seed):
        found = _take_gradients(subject, call, context.seed)
        if found is None:
            return CheckOutput(skipped="the main output has no gradient (see T1-GRAD)")
        measured["parameters"] = len(found.by_answer)
        findings = [
            *_judge_trained_elsewhere(subject, call, context.seed, found),
            *_judge_detached(found),
            *judge_siblings(subject.model, found.used, found.entered),
            *judge_frozen_parts(subject.model, found.entered),
        ]
        if not findings:
            break
    if not findings and not looks_trained(subject.model):
        findings += judge_experts(subject, context.seed, measured)
    return CheckOutput(tuple(findings), measured)


def _take_gradients(subject: Subject, call: Call, seed: int) -> _Gradients | None:
    model = subject.model
    named = [(name, p) for name, p in model.named_parameters() if p.requires_grad]
    torch.manual_seed(seed)
    trace = ExecutionTrace(model)
    with torch.enable_grad():
        with trace:
            output = subject.forward(call)
        answers = collect_answers(output)
        answer = answers.get(subject.outputs.main)
        if answer is None or not answer.requires_grad or answer.is_complex():
            return None
        generator = torch.Generator().manual_seed(seed + 1)
        kept = answer.float()
        weights = torch.randn(answer.shape, generator=generator).to(kept)
        first = torch.where(kept.detach().isfinite(), kept * weights, torch.zeros_like(kept)).sum()
        scalars = {path: t for path, t in answers.items() if t.numel() == 1 and path != subject.outputs.main}
        others = [t.reshape(()) for t in scalars.values() if t.requires_grad]
        second = torch.stack([t.float() for t in others]).sum() if others else None
    detached = tuple(
        path for path, t in scalars.items() if not t.requires_grad and "loss" in path.rpartition(".")[2]
    )
    return _Gradients(
        _measure(first, named),
        _measure(second, named) if second is not None else {},
        detached,
        frozenset(trace.entered),
    )


def _measure(value: Tensor, named: list[tuple[str, nn.Parameter]]) -> dict[str, float | None]:
    gradients = torch.autograd.grad(value, [p for _, p in named], allow_unused=True, retain_graph=True)
    return {
        name: None
        if gradient is None
        else float(gradient.detach().float().abs().max())
        if gradient.numel()
        else 0.0
        for (name, _), gradient in zip(named, gradients, strict=True)
    }


def _judge_trained_elsewhere(subject: Subject, call: Call, seed: int, found: _Gradients) -> list[Finding]:
    """Linear layers that the main output depends on and that only another output trains."""
    model = subject.model
    modules = dict(model.named_modules())
    names = [
        name
        for name, size in found.by_others.items()
        if size and not found.by_answer.get(name) and isinstance(modules[name.rpartition(".")[0]], nn.Linear)
    ]
    moved = [
        (name, change)
        for name in names[:_NAMES_SHOWN]
        if (change := _measure_effect(subject, call, seed, name))
    ]
    if not moved:
        return []
    name, change = moved[0]
    where = name.rpartition(".")[0]
    return [
        Finding(
            "T1-PART-001",
            Severity.WARNING,
            f"The main output depends on `{where}`, but gets no gradient through the main output. Only another output, "
            f"such as an auxiliary loss, trains `{where}`.",
            where,
            {"relative_change": change, "parameters": [n for n, _ in moved]},
            "If this module chooses parts (such as experts), multiply each chosen part's output by the probability of "
            "its choice, and do not detach that probability.",
        )
    ]


def _measure_effect(subject: Subject, call: Call, seed: int, name: str) -> float:
    """The change of the main output when a parameter is drawn again; 0 where there is none."""
    parameter = subject.model.get_parameter(name)
    drawn = draw_noise(parameter, torch.Generator().manual_seed(seed + 2), zero_scale=1.0)
    with torch.no_grad():
        torch.manual_seed(seed)
        before = subject.answer(call).clone()
        torch.manual_seed(seed)
        after = subject.outputs.select(run_substituted(subject.model, {name: drawn}, call))
    change = measure_change(before, after)
    return change if change > find_tolerance(before) else 0.0


def _judge_detached(found: _Gradients) -> list[Finding]:
    if not found.detached:
        return []
    name = found.detached[0]
    return [
        Finding(
            "T1-PART-002",
            Severity.WARNING,
            f"The name of the output `{name}` says that it is a loss, but it carries no gradient, so adding it to the "
            "loss trains nothing.",
            "",
            {"outputs": list(found.detached)},
            "Compute this loss from tensors that are not detached, and outside `torch.no_grad()`.",
        )
    ]


CHECK = Check(
    "T1-PART",
    "trained parts",
    1,
    run,
    needs=("parameter values", "trainable parameters", "unquantised layers"),
    cost_steps=0.6,
    value=62,
)

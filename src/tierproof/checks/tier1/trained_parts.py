"""T1-PART: each output trains what it rests on, and what one block uses, its siblings use too.

What it does: takes the gradient of the answer alone, and of the model's other scalar outputs. It looks for layers that
move the answer but get a gradient from the others only, for losses without a gradient, and for parts that all but a few
blocks of a stack use. It runs as many tokens as give every expert its share, and looks for experts that get none.

Why it matters: a router whose weights are detached is trained by the load balancing alone, and never learns which
expert is right. A gate that one layer forgot, or an expert that the dispatch leaves out, costs parameters.

Evidence: the change of the answer when the layer's weights are drawn anew; the number of blocks that use the part; the
number of tokens.

Exemptions: tables (a codebook is trained by a loss of its own), the last block of a stack (which may have no successor
to serve), experts, and what the config or an optional input leaves unused in all blocks. Experts are judged in fresh
models with few of them.

Findings:
    T1-PART-001 warning: a layer moves the answer, but only another output gives it a gradient.
    T1-PART-002 warning: an output called a loss has no gradient.
    T1-PART-003 warning: one block leaves a part unused that its siblings use.
    T1-PART-004 warning: an expert of a fresh model gets no token.

Source: Shazeer et al. 2017 (arXiv 1701.06538), section 2: the gate is trained through the weights of its choice.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from tierproof.checks.check import Check, CheckContext, CheckOutput
from tierproof.core.finding import Finding, Severity
from tierproof.core.json_value import JsonValue
from tierproof.model.call.substitution import draw_noise, run_substituted
from tierproof.model.compare.comparison import find_tolerance, measure_change
from tierproof.model.describe.repeated_blocks import find_repeated_blocks
from tierproof.model.describe.subject import Subject
from tierproof.model.gradients.objective import collect_answers
from tierproof.model.observe.weight_statistics import looks_trained

_INDEX = re.compile(r"(^|\.)\d+(?=\.|$)")
# Tokens for each expert: at an even share, none goes without by chance.
_TOKENS_PER_EXPERT = 64
_MOST_EXPERTS = 16
_NAMES_SHOWN = 8


@dataclass(frozen=True)
class _Gradients:
    """Which parameters the answer and the other scalar outputs give a gradient.

    Attributes:
        by_answer: sizes of the answer's gradient by name; None where the answer does not depend on it.
        by_others: the same of the other scalars.
        detached: outputs called a loss that carry no gradient.
    """

    by_answer: Mapping[str, float | None]
    by_others: Mapping[str, float | None]
    detached: tuple[str, ...]


def run(context: CheckContext) -> CheckOutput:
    """Run the check."""
    subject = context.subject
    found = _take_gradients(subject, context.seed)
    if found is None:
        return CheckOutput(skipped="the answer has no gradient (see T1-GRAD)")
    measured: dict[str, JsonValue] = {"parameters": len(found.by_answer)}
    findings = [
        *_judge_trained_elsewhere(subject, context.seed, found),
        *_judge_detached(found),
        *_judge_siblings(subject.model, found),
    ]
    if not findings and not looks_trained(subject.model):
        findings += _judge_experts(subject, context.seed, measured)
    return CheckOutput(tuple(findings), measured)


def _take_gradients(subject: Subject, seed: int) -> _Gradients | None:
    model = subject.model.eval()
    named = [(name, p) for name, p in model.named_parameters() if p.requires_grad]
    torch.manual_seed(seed)
    with torch.enable_grad():
        answers = collect_answers(subject.forward(subject.make_call(seed=seed)))
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
    return _Gradients(_measure(first, named), _measure(second, named) if second is not None else {}, detached)


def _measure(value: Tensor, named: list[tuple[str, nn.Parameter]]) -> dict[str, float | None]:
    gradients = torch.autograd.grad(value, [p for _, p in named], allow_unused=True, retain_graph=True)
    return {
        name: None if gradient is None else float(gradient.detach().float().abs().max())
        for (name, _), gradient in zip(named, gradients, strict=True)
    }


def _judge_trained_elsewhere(subject: Subject, seed: int, found: _Gradients) -> list[Finding]:
    """Linear layers that the answer depends on and that only another output trains."""
    model = subject.model
    modules = dict(model.named_modules())
    names = [
        name
        for name, size in found.by_others.items()
        if size and not found.by_answer.get(name) and isinstance(modules[name.rpartition(".")[0]], nn.Linear)
    ]
    moved = [
        (name, change) for name in names[:_NAMES_SHOWN] if (change := _measure_effect(subject, seed, name))
    ]
    if not moved:
        return []
    name, change = moved[0]
    where = name.rpartition(".")[0]
    return [
        Finding(
            "T1-PART-001",
            Severity.WARNING,
            f"`{where}` moves the answer, but the answer gives it no gradient: only another output, such as an "
            "auxiliary loss, trains it.",
            where,
            {"relative_change": change, "parameters": [n for n, _ in moved]},
            "Multiply what it chooses by its own weights (a router: by the probabilities of its choice), and do "
            "not detach them.",
        )
    ]


def _measure_effect(subject: Subject, seed: int, name: str) -> float:
    """The change of the answer when a parameter is drawn anew; 0 where it is none."""
    parameter = subject.model.get_parameter(name)
    call = subject.make_call(seed=seed)
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
            f"The output `{name}` is called a loss but carries no gradient, so adding it to the loss trains nothing.",
            "",
            {"outputs": list(found.detached)},
            "Compute it from tensors that are not detached, and outside `torch.no_grad()`.",
        )
    ]


def _judge_siblings(model: nn.Module, found: _Gradients) -> list[Finding]:
    """Parts that a block of a stack leaves unused while most of its siblings use them."""
    blocks = find_repeated_blocks(model)
    uses: dict[tuple[str, str], dict[str, bool]] = {}
    for path, block in blocks.items():
        for name, _ in block.named_parameters():
            full = f"{path}.{name}"
            if full in found.by_answer and not _INDEX.search(name):
                used = found.by_answer[full] is not None or found.by_others.get(full) is not None
                uses.setdefault((path.rpartition(".")[0], name), {})[path] = used
    forgotten: dict[str, list[str]] = {}
    for (_, name), by_block in uses.items():
        idle = [path for path, used in by_block.items() if not used]
        last = list(by_block)[-1]
        if idle and last not in idle and len(idle) <= len(by_block) // 3:
            forgotten.setdefault(idle[0], []).append(name)
    findings = []
    for path, names in forgotten.items():
        part = names[0].rpartition(".")[0]
        findings.append(
            Finding(
                "T1-PART-003",
                Severity.WARNING,
                f"`{path}` leaves `{part or names[0]}` unused, which its siblings use.",
                f"{path}.{part}".rstrip("."),
                {"parameters": [f"{path}.{name}" for name in names[:_NAMES_SHOWN]], "count": len(names)},
                "Call this part in the block's forward and use its result, as its siblings do.",
            )
        )
    return findings


def _judge_experts(subject: Subject, seed: int, measured: dict[str, JsonValue]) -> list[Finding]:
    """Experts that none of many tokens reaches."""
    groups = {
        path: list(module.named_children())
        for path, module in subject.model.named_modules()
        if isinstance(module, nn.ModuleList) and "expert" in path.rpartition(".")[2].lower()
    }
    groups = {path: members for path, members in groups.items() if 2 <= len(members) <= _MOST_EXPERTS}
    if not groups or subject.inputs.primary_argument.sample is not None:
        return []
    most = max(len(members) for members in groups.values())
    length = subject.inputs.clip_length(32)
    batch = -(-_TOKENS_PER_EXPERT * most // length)
    called = _run_and_watch(subject, seed, batch, length, groups)
    if called is None:
        return []
    measured["tokens_for_experts"] = batch * length
    for path, members in groups.items():
        idle = [name for name, _ in members if f"{path}.{name}" not in called]
        if idle and len(idle) < len(members):
            return [
                Finding(
                    "T1-PART-004",
                    Severity.WARNING,
                    f"None of {batch * length} tokens reaches {len(idle)} of {len(members)} experts of the fresh "
                    f"`{path}`: {', '.join(idle[:_NAMES_SHOWN])}.",
                    f"{path}.{idle[0]}",
                    {"tokens": batch * length, "idle_experts": [f"{path}.{name}" for name in idle]},
                    "Start the router with small random weights, choose among all experts, and send tokens to each "
                    "that is chosen.",
                )
            ]
    return []


def _run_and_watch(
    subject: Subject,
    seed: int,
    batch: int,
    length: int,
    groups: Mapping[str, Iterable[tuple[str, nn.Module]]],
) -> set[str] | None:
    """Paths of the experts that run, or that have a part which does; None if the forward raises."""
    called: set[str] = set()
    handles = [
        part.register_forward_hook(lambda _m, _a, _o, path=f"{path}.{name}": called.add(path))
        for path, members in groups.items()
        for name, member in members
        for part in member.modules()
    ]
    try:
        with torch.no_grad():
            torch.manual_seed(seed)
            subject.forward(subject.make_call(batch=batch, length=length, target_length=length, seed=seed))
    except Exception:  # noqa: BLE001 - a size that raises is a finding of T1-SHAPE
        return None
    finally:
        for handle in handles:
            handle.remove()
    return called


CHECK = Check(
    "T1-PART",
    "trained parts",
    1,
    run,
    needs=("parameter values", "trainable parameters", "unquantised layers"),
    cost_steps=0.6,
    value=62,
)

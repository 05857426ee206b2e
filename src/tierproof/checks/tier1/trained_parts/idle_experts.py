"""Find experts of a fresh model that none of many tokens reaches."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, MutableMapping

import torch
from torch import nn

from tierproof.core.finding import Finding, Severity
from tierproof.core.json_value import JsonValue
from tierproof.model.describe.subject import Subject

# Tokens for each expert: at an even share, none goes without by chance.
_TOKENS_PER_EXPERT = 64
_MOST_EXPERTS = 16
_NAMES_SHOWN = 8


def judge_experts(subject: Subject, seed: int, measured: MutableMapping[str, JsonValue]) -> list[Finding]:
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
                    f"{len(idle)} of {len(members)} experts of the untrained `{path}` receive none of the "
                    f"{batch * length} tokens that were tried: {', '.join(idle[:_NAMES_SHOWN])}.",
                    f"{path}.{idle[0]}",
                    {"tokens": batch * length, "idle_experts": [f"{path}.{name}" for name in idle]},
                    "Start the router with small random weights, choose among all experts, and send each token to "
                    "the experts that were chosen for it.",
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

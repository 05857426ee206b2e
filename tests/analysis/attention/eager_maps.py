"""Compare captured attention with the maps that transformers' eager implementation returns."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

import torch
from torch import Tensor, nn

from tierproof.analysis.attention.capture_patterns import observe_attention
from tierproof.analysis.examples.read_examples import count_rows
from tierproof.model.call.call import Call
from tierproof.model.describe.prepare_subject import prepare_subject
from tierproof.model.describe.subject import Subject

TOLERANCE = 1e-5


@dataclass(frozen=True)
class Comparison:
    """How many maps eager attention returned, and what lies further than the tolerance from every captured one."""

    captured: int
    eager: int
    apart: tuple[str, ...]


def compare_with_eager(model: nn.Module, inputs=None, *, same_implementation: bool = False) -> Comparison:
    """Capture one pass of the model as it is, and compare it with `output_attentions` under eager attention.

    Args:
        same_implementation: capture the eager pass, for models whose two implementations mask differently.
    """
    subject = prepare_subject(model, **({} if inputs is None else {"inputs": inputs}))
    model.eval()
    call = subject.make_call(seed=0)
    asking = replace(call, constants={**call.constants, "output_attentions": True})
    captured = [] if same_implementation else _capture(subject, call)
    model.set_attn_implementation("eager")
    if same_implementation:
        captured = _capture(subject, asking)
    torch.manual_seed(0)
    with torch.no_grad():
        returned = asking.run(model)
    maps = list(_list_maps(returned))
    free = list(captured)
    apart = []
    for name, expected in maps:
        distances = [_distance(weights, expected) for weights in free]
        best = min(distances, default=float("inf"))
        if best <= TOLERANCE:
            free.pop(distances.index(best))
        else:
            apart.append(f"{name} {tuple(expected.shape)}: {best:.2g}")
    return Comparison(len(captured), len(maps), tuple(apart))


def _capture(subject: Subject, call: Call) -> list[Tensor]:
    def run(banded=()):
        captured: list[Tensor] = []
        torch.manual_seed(0)
        seen = observe_attention(
            subject.model,
            lambda: subject.forward(call),
            count_rows(subject, call),
            lambda pattern: captured.append(pattern.read_all()),
            banded,
        )
        return captured, seen.missed

    captured, missed = run()
    return run(missed)[0] if missed else captured


def _distance(weights: Tensor, expected: Tensor) -> float:
    """The largest difference; windows may be an axis of their own in the eager map."""
    if weights.numel() != expected.numel() or weights.shape[-2:] != expected.shape[-2:]:
        return float("inf")
    return float((weights.reshape(expected.shape) - expected).abs().max())


def _list_maps(value: object, name: str = "") -> Iterator[tuple[str, Tensor]]:
    if isinstance(value, Tensor):
        if value.dim() >= 3 and "attention" in name:
            yield name, value.detach().float()
    elif hasattr(value, "items"):
        for key, each in value.items():
            yield from _list_maps(each, f"{name}.{key}")
    elif isinstance(value, list | tuple):
        for index, each in enumerate(value):
            yield from _list_maps(each, f"{name}.{index}")

"""Find cross-attention that hides later source positions from earlier target positions, as the target's mask does."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from tierproof.core.finding import Finding, Severity
from tierproof.model.call.call import Call
from tierproof.model.call.outputs import iterate_tensors
from tierproof.model.compare.comparison import measure_change
from tierproof.model.compare.steady_answer import Baseline
from tierproof.model.observe.module_arguments import ModuleArguments, record_arguments

# A weighted mean of equal values differs from them by rounding alone.
_ROUNDING = 5e-6


@dataclass(frozen=True)
class _CrossCall:
    """A module that is given both: leaves that follow the source alone, and leaves that follow the target."""

    arguments: ModuleArguments
    memories: tuple[int, ...]
    queries: tuple[int, ...]


def judge_cross_masks(base: Baseline, with_source: Call, with_target: Call) -> list[Finding]:
    """One finding if the first target position cannot see the later half of the source in some module.

    Args:
        with_source: the baseline's call with another source.
        with_target: the same with another target.
    """
    model, answers = base.answers.subject.model, base.answers

    def record(call: Call) -> dict[str, ModuleArguments]:
        return record_arguments(model, lambda: answers.forward(call))

    found = _find_cross_calls(record(base.call), record(with_source), record(with_target))
    lengths = {base.length, base.target_length}
    hiding = [cross.arguments.path for cross in found if _hides_later_source(model, cross, lengths)]
    if not hiding:
        return []
    return [
        Finding(
            "T1-CROSS-003",
            Severity.WARNING,
            f"`{hiding[0]}` hides later source positions from earlier target positions: the first target position "
            "cannot attend to the second half of the source, but the last one can.",
            hiding[0],
            {"modules": hiding[:8], "count": len(hiding)},
            "Pass only the source's padding mask to cross-attention. The causal mask and the target's padding are for "
            "self-attention.",
        )
    ]


def _find_cross_calls(
    plain: Mapping[str, ModuleArguments],
    with_source: Mapping[str, ModuleArguments],
    with_target: Mapping[str, ModuleArguments],
) -> list[_CrossCall]:
    """The innermost modules that read both."""
    found = []
    for path, call in plain.items():
        others = with_source.get(path), with_target.get(path)
        if others[0] is None or others[1] is None:
            continue
        by_source, by_target = (_find_moved(call, other) for other in others if other is not None)
        memories = tuple(sorted(by_source - by_target))
        if memories and by_target:
            found.append(_CrossCall(call, memories, tuple(sorted(by_target))))
    paths = [cross.arguments.path for cross in found]
    return [
        cross for cross in found if not any(other.startswith(cross.arguments.path + ".") for other in paths)
    ]


def _find_moved(call: ModuleArguments, other: ModuleArguments) -> set[int]:
    if len(call.leaves) != len(other.leaves):
        return set()
    return {
        place
        for place, (a, b) in enumerate(zip(call.leaves, other.leaves, strict=True))
        if isinstance(a, Tensor)
        and isinstance(b, Tensor)
        and a.is_floating_point()
        and a.dim() >= 3
        and a.shape == b.shape
        and not torch.equal(a, b)
    }


def _hides_later_source(model: nn.Module, cross: _CrossCall, lengths: set[int]) -> bool:
    call = cross.arguments
    source_axis = _find_length_axis(call.leaves[cross.memories[0]], lengths)
    target_axis = _find_length_axis(call.leaves[cross.queries[0]], lengths)
    if source_axis is None or target_axis is None:
        return False
    changed = list(call.leaves)
    for place in cross.memories:
        memory = call.leaves[place]
        if memory.shape[source_axis] < 4:
            return False
        late = memory.narrow(
            source_axis, memory.shape[source_axis] // 2, (memory.shape[source_axis] + 1) // 2
        )
        moved = memory.clone()
        moved.narrow(source_axis, memory.shape[source_axis] // 2, late.shape[source_axis]).copy_(
            late.flip(-1) + late.std() * torch.linspace(-1, 1, late.shape[-1]).to(late)
        )
        changed[place] = moved
    module = model.get_submodule(call.path)
    before, after = (_call_alone(module, call, tuple(leaves)) for leaves in (call.leaves, changed))
    if before is None or after is None or before.shape != after.shape or before.dim() <= target_axis:
        return False
    last = before.shape[target_axis] - 1
    at_first, at_last = (
        measure_change(before.select(target_axis, place), after.select(target_axis, place))
        for place in (0, last)
    )
    return at_first <= _ROUNDING < at_last / 100


def _call_alone(module: nn.Module, call: ModuleArguments, leaves: tuple[Any, ...]) -> Tensor | None:
    """The first tensor that a module answers; None where it cannot be called alone."""
    arguments, keywords = call.rebuild(leaves)
    answer: Callable[..., Any] = module
    try:
        with torch.no_grad():
            output = answer(*arguments, **keywords)
    except Exception:  # noqa: BLE001 - state that only the whole model sets up; nothing is claimed then
        return None
    return next((t for _, t in iterate_tensors(output) if t.is_floating_point()), None)


def _find_length_axis(tensor: Tensor, lengths: set[int]) -> int | None:
    axes = [axis for axis in range(tensor.dim() - 1) if tensor.shape[axis] in lengths]
    return axes[0] if len(axes) == 1 else None

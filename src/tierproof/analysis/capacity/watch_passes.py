"""Run a model on examples once each, and watch its streams, units, experts and tables at the same time."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor, nn

from tierproof.analysis.capacity.capacity_figures import BlockStack, ExpertLoad, UnitActivity
from tierproof.analysis.capacity.expert_watch import ExpertWatch
from tierproof.analysis.capacity.position_rows import plan_rows
from tierproof.analysis.capacity.stream_watch import StreamWatch
from tierproof.analysis.capacity.unit_watch import UnitWatch
from tierproof.analysis.examples.read_examples import count_rows
from tierproof.model.call.call import Call
from tierproof.model.describe.subject import Subject
from tierproof.model.observe.execution_trace import ExecutionTrace
from tierproof.model.observe.harmless import harmless
from tierproof.model.observe.operation_watch import OperationWatch


@dataclass(frozen=True)
class WatchedPasses:
    """What was seen.

    Attributes:
        streams: by the path of each residual stream its blocks, in order.
        tables: names of the parameters that ids were looked up in.
        passes: how many ran.
        positions: at how many positions; padding does not count.
    """

    stacks: tuple[BlockStack, ...] = ()
    streams: Mapping[str, Mapping[str, nn.Module]] = field(default_factory=dict)
    units: tuple[UnitActivity, ...] = ()
    experts: tuple[ExpertLoad, ...] = ()
    tables: tuple[str, ...] = ()
    passes: int = 0
    positions: int = 0
    unread: tuple[str, ...] = ()


class _Operations(OperationWatch):
    """Passes operations on to those who look at them."""

    def __init__(
        self, trace: ExecutionTrace, units: UnitWatch, experts: ExpertWatch, names: Mapping[int, str]
    ) -> None:
        super().__init__()
        self.tables: dict[str, None] = {}
        self.failures: list[str] = []
        self._trace, self._units, self._experts, self._names = trace, units, experts, names

    def after(self, name: str, args: tuple[Any, ...], kwargs: Mapping[str, Any], result: Any) -> None:
        """Look at the operands and the result."""
        with harmless(self.failures), torch.no_grad():
            if name == "embedding":
                table = kwargs.get("weight", args[1] if len(args) > 1 else None)
                if id(table) in self._names:
                    self.tables[self._names[id(table)]] = None
                return
            self._units.see(name, result, self._trace)
            self._experts.see(name, args, kwargs, result, self._trace)


def watch_passes(
    subject: Subject, calls: Iterable[Call], *, seed: int, expired: Callable[[], bool] = lambda: False
) -> WatchedPasses:
    """Run every call in evaluation mode without gradients; what was seen until the time is up is kept.

    Args:
        expired: whether no time is left; asked before each call but the first.
    """
    model = subject.model.eval()
    streams, units, experts = StreamWatch(model), UnitWatch(model), ExpertWatch(model)
    names = {id(parameter): name for name, parameter in model.named_parameters()}
    tables: dict[str, None] = {}
    failures: list[str] = []
    passes = positions = 0
    for call in calls:
        if passes and expired():
            failures.append(f"no time was left after {passes} inputs")
            break
        plan = plan_rows(subject, call, count_rows(subject, call))
        positions += _count_positions(subject, call, plan.visible)
        torch.manual_seed(seed)
        with torch.no_grad(), ExecutionTrace(model) as trace:
            operations = _Operations(trace, units, experts, names)
            with streams.watch(plan), units.watch(plan), experts.watch(), operations:
                subject.forward(call)
        tables |= operations.tables
        failures += operations.failures
        passes += 1
    stacks, unread = streams.summarise()
    failures += [*streams.failures, *units.failures, *experts.failures, *unread]
    return WatchedPasses(
        stacks,
        streams.list_streams(),
        units.summarise(),
        experts.summarise(),
        tuple(tables),
        passes,
        positions,
        tuple(dict.fromkeys(failures)),
    )


def _count_positions(subject: Subject, call: Call, visible: Tensor | None) -> int:
    if visible is not None:
        return int(visible.sum())
    argument = subject.inputs.primary_argument
    tensor = call.tensors.get(argument.name)
    if tensor is None:
        return 0
    sizes = [size for size, axis in zip(tensor.shape, argument.shape, strict=False) if isinstance(axis, str)]
    total = 1
    for size in sizes:
        total *= size
    return total

"""Watch where mixtures of experts send their tokens."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from tierproof.analysis.capacity.capacity_figures import ExpertLoad
from tierproof.model.call.outputs import iterate_tensors
from tierproof.model.observe.execution_trace import ExecutionTrace
from tierproof.model.observe.harmless import harmless

_CHOICES = frozenset({"topk", "argmax", "max"})


@dataclass
class _Group:
    """The experts of one layer while they are watched.

    Attributes:
        members: the paths of experts that are modules; empty where one tensor holds them all.
        count: how many experts.
        received: rows that each expert was called with.
        chosen: how often the router chose each.
        weight: the sum of the router's probabilities for each.
        entropy_nats, routed: sum of the entropies of `routed` tokens.
    """

    members: tuple[str, ...]
    count: int
    received: Tensor
    chosen: Tensor
    weight: Tensor
    entropy_nats: float = 0.0
    routed: int = 0

    @property
    def dispatched(self) -> bool:
        """Whether experts that are modules got different numbers of rows."""
        return bool(self.received.any()) and int(self.received.min()) != int(self.received.max())


class ExpertWatch:
    """Collects the load of every mixture of experts, over as many passes as it watches.

    Experts are the members of a module list named for experts, or the slices of a parameter of three axes. A choice
    (`topk`, `argmax`, `max`) or a softmax along a last axis of as many entries, in the same module or beside it, is the
    router's.
    """

    def __init__(self, model: nn.Module) -> None:
        self.failures: list[str] = []
        self._modules = dict(model.named_modules())
        self._groups = dict(_find_groups(model))
        self._rows: dict[str, int] = {}

    @contextmanager
    def watch(self) -> Iterator[None]:
        """Inside the `with`, one pass is watched; operations are passed to `see` by the one who watches them."""
        handles = []
        self._rows = {}
        try:
            for group in self._groups.values():
                for member in group.members:
                    for part in self._modules[member].modules():
                        if not isinstance(part, torch.jit.ScriptModule):
                            hook = self._make_hook(member, id(part))
                            handles.append(part.register_forward_pre_hook(hook, with_kwargs=True))
            yield
        finally:
            for handle in handles:
                handle.remove()
        self._count_received()

    def _make_hook(self, member: str, part: int) -> Any:
        def enter(_module: nn.Module, args: Any, kwargs: Any) -> None:
            with harmless(self.failures):
                tensors = [
                    t for _, t in iterate_tensors((args, kwargs)) if t.is_floating_point() and t.dim() > 1
                ]
                if tensors:
                    rows = tensors[0].numel() // max(tensors[0].shape[-1], 1)
                    key = f"{member}\0{part}"
                    self._rows[key] = self._rows.get(key, 0) + rows

        return enter

    def _count_received(self) -> None:
        """An expert that is never called itself, such as a dict of layers, got what its busiest part got."""
        for group in self._groups.values():
            for number, member in enumerate(group.members):
                parts = [rows for key, rows in self._rows.items() if key.startswith(f"{member}\0")]
                group.received[number] += max(parts, default=0)

    def see(
        self, name: str, args: tuple[Any, ...], kwargs: Mapping[str, Any], result: Any, trace: ExecutionTrace
    ) -> None:
        """Look at one operation of torch."""
        if name != "softmax" and name not in _CHOICES:
            return
        scores = args[0] if args else kwargs.get("input")
        if not isinstance(scores, Tensor) or scores.dim() < 2 or not scores.is_floating_point():
            return
        group = self._find_group(trace.current, scores.shape[-1])
        if group is None:
            return
        if name == "softmax":
            group.weight += result.detach().double().flatten(0, -2).sum(0).cpu()
            self._add_entropy(group, result)
            return
        indices = _read_choice(name, args, kwargs, result, scores)
        if indices is not None:
            group.chosen += torch.bincount(indices.flatten().cpu(), minlength=group.count)
            if not group.routed:
                self._add_entropy(group, scores)

    def _add_entropy(self, group: _Group, scores: Tensor) -> None:
        rows = scores.detach().double().flatten(0, -2)
        total = rows.sum(-1, keepdim=True)
        even = bool((rows >= 0).all()) and bool((total > 0).all())
        shares = rows / total if even else rows.softmax(-1)
        group.entropy_nats += float(-torch.special.xlogy(shares, shares).sum())
        group.routed += len(rows)

    def _find_group(self, path: str, count: int) -> _Group | None:
        """The nearest experts of this number: within the running module, or beside it."""
        for scope in (path, path.rpartition(".")[0]):
            for owner, group in self._groups.items():
                if group.count == count and (not scope or owner == scope or owner.startswith(f"{scope}.")):
                    return group
        return None

    def summarise(self) -> tuple[ExpertLoad, ...]:
        """The mixtures in which a choice was seen."""
        found = []
        for path, group in self._groups.items():
            dispatched = group.dispatched
            counted = group.received if dispatched else group.chosen
            choices = int(counted.sum())
            load = counted.double() if choices else group.weight
            if not float(load.sum()) > 0:
                continue
            shares = load / load.sum()
            most = torch.tensor(float(group.count)).log()
            entropy = group.entropy_nats / group.routed / float(most) if group.routed else None
            found.append(
                ExpertLoad(
                    path,
                    tuple(shares.tolist()),
                    choices,
                    entropy,
                    float(-torch.special.xlogy(shares, shares).sum() / most),
                )
            )
        return tuple(found)


def _find_groups(model: nn.Module) -> Iterator[tuple[str, _Group]]:
    for path, module in model.named_modules():
        if (
            isinstance(module, nn.ModuleList)
            and "expert" in path.rpartition(".")[2].lower()
            and len(module) > 1
        ):
            yield (
                path,
                _make_group(tuple(f"{path}.{name}" for name, _ in module.named_children()), len(module)),
            )
            continue
        if isinstance(module, nn.modules.conv._ConvNd):
            continue
        stacks = [p.shape[0] for p in module.parameters(recurse=False) if p.dim() == 3 and p.shape[0] > 1]
        if stacks:
            yield path, _make_group((), stacks[0])


def _make_group(members: tuple[str, ...], count: int) -> _Group:
    zeros = torch.zeros(count, dtype=torch.long)
    return _Group(members, count, zeros.clone(), zeros.clone(), torch.zeros(count, dtype=torch.float64))


def _read_choice(
    name: str, args: tuple[Any, ...], kwargs: Mapping[str, Any], result: Any, scores: Tensor
) -> Tensor | None:
    """The numbers that were chosen along the last axis; None where the choice was along another."""
    place = 2 if name == "topk" else 1
    axis = kwargs.get("dim", args[place] if len(args) > place else (-1 if name == "topk" else None))
    if not isinstance(axis, int) or axis % scores.dim() != scores.dim() - 1:
        return None
    indices = result if name == "argmax" else getattr(result, "indices", None)
    return indices if isinstance(indices, Tensor) else None

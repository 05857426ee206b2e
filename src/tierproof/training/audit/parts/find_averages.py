"""Find averages of the model's weights (EMA, SWA), by their tensors and not by their names."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from itertools import islice
from typing import Any

import torch
from torch import Tensor, nn

from tierproof.core.standing import Standing
from tierproof.training.audit.parts.named_values import NamedValue
from tierproof.training.audit.parts.training_parts import AveragedWeights

# The share of the model's trainable parameters that an average has at least.
_LEAST_SHARE = 0.5


@dataclass(frozen=True)
class FoundAverage:
    """Averaged weights, and where they were found."""

    weights: AveragedWeights
    standing: Standing
    source: str


def find_averages(
    model: nn.Module, values: Iterable[NamedValue], given: Any = None
) -> tuple[FoundAverage, ...]:
    """Averages among the values that a step reaches: a module of the same parameters, tensors by the parameters'
    names, or a list of tensors of the parameters' shapes in order."""
    if given is not None:
        return (FoundAverage(_follow(model, given, "ema", 0), Standing.GIVEN, "given"),)
    found: list[FoundAverage] = []
    own = {id(module) for module in model.modules()}
    taken: set[int] = set()
    for each in values:
        if each.value is model or id(each.value) in own or isinstance(each.value, torch.optim.Optimizer):
            continue
        for index, tensors in enumerate(_read_tensors(model, each.value)):
            key = id(next(iter(tensors.values())))
            if key in taken:
                continue
            taken.add(key)
            source = f"found in {each.place} as {each.name}"
            found.append(
                FoundAverage(_follow(model, each.value, each.name, index), Standing.MEASURED, source)
            )
    return tuple(found)


def _follow(model: nn.Module, owner: Any, name: str, index: int) -> AveragedWeights:
    """The `index`-th set of tensors in `owner`, read anew each time."""

    def read() -> dict[str, Tensor]:
        return next(islice(_read_tensors(model, owner), index, None), {})

    return AveragedWeights(owner, name, read)


def _read_tensors(model: nn.Module, value: Any) -> Iterator[dict[str, Tensor]]:
    """Tensors by the model's own paths, where `value` has most of the model's trainable parameters."""
    if isinstance(value, nn.Module):
        for inner in _list_roots(value):
            candidate = {**dict(inner.named_parameters()), **dict(inner.named_buffers())}
            accepted = list(_accept(model, candidate))
            if accepted:
                yield from accepted
                return
    elif isinstance(value, Mapping):
        yield from _accept(model, {str(k): v for k, v in value.items() if isinstance(v, Tensor)})
    elif isinstance(value, list | tuple):
        yield from _match_by_shape(model, value)
    elif hasattr(value, "__dict__") and not isinstance(value, type):
        for inner in list(vars(value).values()):
            if isinstance(inner, nn.Module | Mapping | list | tuple) and inner is not model:
                yield from _read_tensors(model, inner)


def _list_roots(module: nn.Module) -> Iterator[nn.Module]:
    """A module and what it may wrap: an average is often kept as a child of the module that makes it."""
    yield module
    yield from module.children()


def _accept(model: nn.Module, candidate: Mapping[str, Tensor]) -> Iterator[dict[str, Tensor]]:
    """The candidate's tensors by the paths of the model, or of a part of it that holds most of its parameters."""
    for prefix in ("", *(f"{name}." for name, _ in model.named_children())):
        accepted = list(_accept_at(model, {f"{prefix}{path}": each for path, each in candidate.items()}))
        if accepted:
            yield from accepted
            return


def _accept_at(model: nn.Module, candidate: Mapping[str, Tensor]) -> Iterator[dict[str, Tensor]]:
    wanted = {path: each for path, each in model.named_parameters() if each.requires_grad}
    fitting = [p for p, each in wanted.items() if p in candidate and candidate[p].shape == each.shape]
    if not wanted or len(fitting) < _LEAST_SHARE * len(wanted):
        return
    if all(candidate[path] is wanted[path] for path in fitting):
        return  # the model's own parameters under another roof
    known = {**dict(model.named_parameters()), **dict(model.named_buffers())}
    yield {
        path: each for path, each in candidate.items() if path in known and known[path].shape == each.shape
    }


def _match_by_shape(model: nn.Module, value: list[Any] | tuple[Any, ...]) -> Iterator[dict[str, Tensor]]:
    for trainable in (True, False):
        wanted = {p: each for p, each in model.named_parameters() if each.requires_grad or not trainable}
        if len(wanted) < 2 or len(value) != len(wanted):
            continue
        if not all(isinstance(item, Tensor) for item in value):
            return
        fits = all(item.shape == each.shape for item, each in zip(value, wanted.values(), strict=True))
        own = all(item is each for item, each in zip(value, wanted.values(), strict=True))
        if fits and not own:
            yield dict(zip(wanted, value, strict=True))
            return

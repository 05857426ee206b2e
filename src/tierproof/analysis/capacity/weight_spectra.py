"""Measure every weight matrix of a model."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import asdict
from typing import TypeVar

import torch
from torch import Tensor, nn

from tierproof.analysis.capacity.capacity_figures import WeightSpectrum
from tierproof.analysis.capacity.matrix_spectrum import is_estimated, measure_spectrum
from tierproof.model.observe.weight_statistics import classify_layer
from tierproof.model.sizes.readable_values import read_values

# Of a stack of matrices in one tensor, as fused experts are, and of matrices so large that they are estimated.
_MOST_OF_A_STACK = 4
_MOST_ESTIMATED = 48

T = TypeVar("T")


def measure_weights(
    model: nn.Module, seed: int, expired: Callable[[], bool]
) -> tuple[tuple[WeightSpectrum, ...], list[str]]:
    """The spectrum of every parameter of two axes or more, and what was left out, in words.

    A convolution counts as a matrix [outputs, the rest]. Of a stack of matrices four are measured, and of matrices with
    more than 1,024 singular values 48; both evenly spaced.

    Args:
        expired: whether no time is left; asked before each matrix.
    """
    named = [(name, matrix) for name, matrix in _iterate_matrices(model) if min(matrix.shape) > 1]
    large = [name for name, matrix in named if is_estimated(matrix)]
    chosen = set(_space_evenly(large, _MOST_ESTIMATED))
    parameters = dict(model.named_parameters())
    modules = dict(model.named_modules())
    found: list[WeightSpectrum] = []
    unread = []
    if len(chosen) < len(large):
        unread.append(f"{len(large) - len(chosen)} of {len(large)} large weights: left out for their cost")
    for place, (name, matrix) in enumerate(named):
        if expired():
            unread.append(f"{len(named) - place} of {len(named)} weights: no time was left")
            break
        if is_estimated(matrix) and name not in chosen:
            continue
        values = read_values(matrix)
        if values is None or values.shape != matrix.shape or not values.is_floating_point():
            unread.append(f"`{name}`: its values cannot be read as a matrix")
        elif not bool(values.isfinite().all()):
            unread.append(f"`{name}`: it holds NaN or infinity")
        else:
            owner, _, own = name.partition("[")[0].rpartition(".")
            found.append(
                WeightSpectrum(
                    name,
                    classify_layer(modules[owner], own, matrix),
                    tuple(parameters[name.partition("[")[0]].shape),
                    **asdict(measure_spectrum(values, seed)),
                )
            )
    return tuple(found), unread


def _iterate_matrices(model: nn.Module) -> Iterator[tuple[str, Tensor]]:
    modules = dict(model.named_modules())
    for name, parameter in model.named_parameters():
        weight = parameter.detach()
        if not weight.is_nested and weight.layout is torch.strided and weight.dim() > 2:
            convolution = isinstance(modules[name.rpartition(".")[0]], nn.modules.conv._ConvNd)
            weight = weight.flatten(1) if convolution else _drop_single_axes(weight)
        if weight.dim() == 2:
            yield name, weight
        elif weight.dim() > 2:
            stack = weight.flatten(0, -3)
            for number in _space_evenly(list(range(len(stack))), _MOST_OF_A_STACK):
                yield f"{name}[{number}]", stack[number]


def _drop_single_axes(weight: Tensor) -> Tensor:
    """Without leading axes of one entry, as tables of positions have them."""
    while weight.dim() > 2 and weight.shape[0] == 1:
        weight = weight[0]
    return weight


def _space_evenly(items: list[T], most: int) -> list[T]:
    if len(items) <= most:
        return items
    return [items[round(place * (len(items) - 1) / (most - 1))] for place in range(most)]

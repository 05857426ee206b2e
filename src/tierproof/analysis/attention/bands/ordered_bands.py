"""Put weights that a model computes in bands or blocks into rows over all keys."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from tierproof.analysis.attention.bands.element_places import HALF, Origin, Places

# Of a row's weight: rounding. More on places that are not known would be lost.
_LOST = 1e-5


@dataclass(frozen=True)
class OrderedBands:
    """Weights whose rows lie anywhere in a tensor.

    Attributes:
        weights: [rows, entries], the softmax over the entries of each.
        order: which row belongs to a query, [batch, heads, queries]; the last row, of zeros, where none does. Queries
            that have no row in any head are left out.
        places: the key of each entry, [rows, entries].
        keys: how many there are.
        lead: shape of the softmax's result without the axis of entries, which is `axis`.
        axis: of the entries.
    """

    weights: Tensor
    order: Tensor
    places: Tensor
    keys: int
    lead: tuple[int, ...]
    axis: int

    def read(self, heads: slice, rows: slice) -> Tensor:
        """The weights of some heads and queries, [batch, heads, rows, keys]."""
        chosen = self.order[:, heads, rows]
        weights, places = self.weights[chosen], self.places[chosen]
        return weights.new_zeros(*chosen.shape, self.keys).scatter_add_(-1, places, weights)

    def gate(self, result: Tensor, factors: Tensor) -> Tensor:
        """The softmax's result with the weights of each head times a factor, [heads]."""
        by_row = factors.new_ones(len(self.weights))
        by_row[self.order] = factors[:, None].expand(self.order.shape[1:])
        return result * by_row[:-1].reshape(self.lead).unsqueeze(self.axis).to(result.dtype)


def order_bands(
    weights: Tensor, places: Places | None, origins: list[Origin], axis: int, batch: int
) -> OrderedBands | None:
    """Read from the places of scores which query and which key each weight belongs to.

    The number that all entries of a softmax share is the query's. Of the axes of the tensors that queries and keys
    come from, those along which the two agree are rows of the batch and heads; the other is that of the positions.

    Args:
        weights: the result of a softmax over `axis`.
        places: of the scores that went in.
        origins: where the numbers began.
        batch: rows of the pass.

    Returns:
        None where some weight cannot be placed, or a query has several softmaxes.
    """
    if places is None or not places.pairs or places.numbers.shape != weights.shape:
        return None
    axis %= weights.dim()
    numbers = places.numbers.movedim(axis, -1)
    lead = tuple(numbers.shape[:-1])
    numbers = numbers.flatten(0, -2)
    entries = weights.detach().movedim(axis, -1).flatten(0, -2)
    known = (numbers >= 0) & (entries != 0)  # what a mask hides may lie anywhere
    used = known.any(-1)
    if not bool(used.any()) or bool((entries * ~known).sum(-1)[used].gt(_LOST).any()):
        return None
    sides = _tell_sides(numbers, known)
    found = None if sides is None else _find_axes(*sides, known, used, origins)
    if sides is None or found is None:
        return None
    query, key = sides
    shape, along, key_origins = found
    rows = used.nonzero()[:, 0]
    coordinates = _unravel(query[rows] - origins[_find_origins(query[rows][:1], origins)[0]].start, shape)
    row_batch, row_head, heads = _part_lead(coordinates, shape, along, batch)
    total = int(row_batch.max()) + 1, heads, shape[along]
    order = torch.full(total, len(entries), dtype=torch.long, device=entries.device)
    order[row_batch, row_head, coordinates[along]] = rows
    if int((order < len(entries)).sum()) != len(rows):
        return None
    order = order[:, :, (order < len(entries)).any(0).any(0)]  # other softmaxes serve the other queries
    key_places = torch.zeros_like(numbers)
    offset = 0
    owner = _find_origins(key, origins)
    for number in key_origins:
        own = known & (owner == number)
        origin = origins[number]
        key_places[own] = _unravel(key[own] - origin.start, origin.shape)[along] + offset
        offset += origin.shape[along]
    zeros = entries.new_zeros(1, entries.shape[1])
    return OrderedBands(
        torch.cat([entries * known, zeros]),
        order,
        torch.cat([key_places, key_places.new_zeros(1, entries.shape[1])]),
        offset,
        lead,
        axis,
    )


def _tell_sides(numbers: Tensor, known: Tensor) -> tuple[Tensor, Tensor] | None:
    """The number of each row's query, [rows], and of each entry's key, [rows, entries]."""
    halves = numbers >> HALF, numbers & ((1 << HALF) - 1)
    for query, key in (halves, halves[::-1]):
        largest = query.masked_fill(~known, -1).amax(-1)
        smallest = query.masked_fill(~known, 1 << HALF).amin(-1)
        if bool(((largest == smallest) | ~known.any(-1)).all()):
            return largest, key
    return None


def _find_axes(
    query: Tensor, key: Tensor, known: Tensor, used: Tensor, origins: list[Origin]
) -> tuple[tuple[int, ...], int, list[int]] | None:
    """The shape that the queries come from, its axis of positions, and the origins of the keys in order."""
    query_origins = sorted(set(_find_origins(query[used], origins).tolist()))
    owner = _find_origins(key, origins).masked_fill(~known, -1)
    key_origins = sorted(set(owner.flatten().tolist()) - {-1})
    if len(query_origins) != 1:
        return None
    shape = origins[query_origins[0]].shape
    queries = _unravel(query - origins[query_origins[0]].start, shape)
    apart: set[int] = set()
    for number in key_origins:
        origin = origins[number]
        if len(origin.shape) != len(shape):
            return None
        own = owner == number
        keys = _unravel(key - origin.start, origin.shape)
        apart |= {
            at
            for at, (one, other) in enumerate(zip(queries, keys, strict=True))
            if origin.shape[at] != shape[at] or bool((one[:, None] != other)[own].any())
        }
    if len(apart) != 1:
        return None
    column = torch.arange(key.shape[1], device=key.device).expand_as(key)
    key_origins.sort(key=lambda number: int(column[owner == number].min()))
    return shape, apart.pop(), key_origins


def _part_lead(
    coordinates: list[Tensor], shape: tuple[int, ...], along: int, batch: int
) -> tuple[Tensor, Tensor, int]:
    """Of each row the row of the batch and the head, and how many heads there are."""
    shared = [at for at in range(len(shape)) if at != along]
    own = next((at for at in shared if shape[at] == batch), None)
    joined = next((at for at in shared if own is None and shape[at] % batch == 0), None)
    first = coordinates[shared[0]]
    row_batch = torch.zeros_like(first) if own is None else coordinates[own]
    code = torch.zeros_like(first)
    for at in shared:
        if at == own:
            continue
        part, size = coordinates[at], shape[at]
        if at == joined:
            size //= batch
            row_batch, part = part // size, part % size
        code = code * size + part
    values, head = torch.unique(code, return_inverse=True)
    return row_batch, head, len(values)


def _find_origins(numbers: Tensor, origins: list[Origin]) -> Tensor:
    starts = torch.tensor([origin.start for origin in origins], device=numbers.device)
    return torch.searchsorted(starts, numbers.contiguous(), right=True) - 1


def _unravel(numbers: Tensor, shape: tuple[int, ...]) -> list[Tensor]:
    """The coordinates of numbers in the order of the axes of a shape."""
    found = []
    for size in reversed(shape):
        found.append(numbers % size)
        numbers = numbers // size
    return found[::-1]

"""Compare the rows that are trained on with those that are held out."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from tierproof.training.audit.batches.batch_tensors import count_rows, list_tensors

# A mean or spread this near to 0 or 1 was made so; a sample of any data set lies further away.
_EXACT, _APART = 1e-4, 1e-2
_LEAST_ROWS = 16


@dataclass(frozen=True, slots=True)
class SplitFacts:
    """What two sets have to do with each other.

    Attributes:
        held_out: rows that are held out.
        shared: of these, rows whose inputs are also trained on.
        fitted_together: paths of float tensors whose features have mean 0 and spread 1 over both sets, and not over the
            trained one alone.
    """

    held_out: int
    shared: int
    fitted_together: tuple[str, ...]


def compare_sets(trained: Sequence[Any], held_out: Sequence[Any]) -> SplitFacts:
    """Compare two lists of batches; a row's inputs are the batch's first tensor."""
    known = set(_hash_rows(trained))
    rows = list(_hash_rows(held_out))
    together = [
        path
        for path in _list_features(trained)
        if _is_standard([*_collect(trained, path), *_collect(held_out, path)])
        and not _is_standard(_collect(trained, path), _APART)
    ]
    return SplitFacts(len(rows), sum(row in known for row in rows), tuple(together))


def _hash_rows(batches: Sequence[Any]) -> Iterator[bytes]:
    for batch in batches:
        tensors = [tensor for _, tensor in list_tensors(batch) if tensor.dim()]
        if not tensors or count_rows(batch) is None:
            continue
        for row in tensors[0].detach().cpu():
            yield hashlib.blake2b(row.contiguous().numpy().tobytes(), digest_size=16).digest()


def _list_features(batches: Sequence[Any]) -> list[str]:
    return [path for path, each in list_tensors(batches[0]) if each.dim() == 2 and each.is_floating_point()]


def _collect(batches: Sequence[Any], path: str) -> list[Tensor]:
    found = [dict(list_tensors(batch)).get(path) for batch in batches]
    return [each.detach().cpu().double() for each in found if each is not None]


def _is_standard(parts: list[Tensor], tolerance: float = _EXACT) -> bool:
    """Whether every feature has mean 0 and spread 1 over all rows."""
    if not parts or len({part.shape[1:] for part in parts}) > 1:
        return False
    values = torch.cat(parts)
    if len(values) < _LEAST_ROWS:
        return False
    mean, spread = values.mean(0), values.std(0, correction=0)
    return bool((mean.abs() <= tolerance).all() and ((spread - 1).abs() <= tolerance).all())

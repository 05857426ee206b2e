"""The tensors of a batch, and the same batch with other ones in their places."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from torch import Tensor


def list_tensors(batch: Any, path: str = "") -> Iterator[tuple[str, Tensor]]:
    """(path, tensor) of every tensor in a batch: a tensor, a mapping, a sequence, or several inside each other."""
    if isinstance(batch, Tensor):
        yield path, batch
    elif isinstance(batch, Mapping):
        for key, value in batch.items():
            yield from list_tensors(value, f"{path}.{key}" if path else str(key))
    elif isinstance(batch, list | tuple):
        for index, value in enumerate(batch):
            yield from list_tensors(value, f"{path}.{index}" if path else str(index))


def replace_tensors(batch: Any, change: Callable[[str, Tensor], Tensor], path: str = "") -> Any:
    """The batch with `change(path, tensor)` in the place of each tensor; the batch itself stays as it is."""
    if isinstance(batch, Tensor):
        return change(path, batch)
    if isinstance(batch, Mapping):
        changed = {
            key: replace_tensors(value, change, f"{path}.{key}" if path else str(key))
            for key, value in batch.items()
        }
        if type(batch) is dict:
            return changed
        twin = copy.copy(batch)  # a BatchEncoding, or another mapping with methods of its own
        for key, value in changed.items():
            twin[key] = value  # type: ignore[index]
        return twin
    if isinstance(batch, list | tuple):
        items = [
            replace_tensors(value, change, f"{path}.{index}" if path else str(index))
            for index, value in enumerate(batch)
        ]
        if isinstance(batch, tuple) and hasattr(batch, "_fields"):
            return type(batch)(*items)
        return type(batch)(items)
    return batch


def count_rows(batch: Any) -> int | None:
    """How many rows a batch has: the length that the first axes of all its tensors share; None where they differ."""
    lengths = {tensor.shape[0] for _, tensor in list_tensors(batch) if tensor.dim() > 0}
    return lengths.pop() if len(lengths) == 1 else None


def count_micro_batches(batch: Any) -> int:
    """How many batches a batch is a list of: containers of tensors under the same paths; 0 where it is no such list.

    A list of tensors is a batch, as data loaders give it; a tuple may be batches of several kinds.
    """
    if type(batch) is not list or not all(isinstance(each, Mapping | list | tuple) for each in batch):
        return 0
    forms = {tuple(path for path, _ in list_tensors(each)) for each in batch}
    return len(batch) if len(forms) == 1 and forms != {()} else 0


def take_rows(batch: Any, rows: Tensor) -> Any:
    """The batch with its rows chosen, in this order; a batch whose tensors differ in length is not changed."""
    return replace_tensors(
        batch, lambda _, tensor: tensor[rows.to(tensor.device)] if tensor.dim() else tensor
    )


def copy_batch(batch: Any) -> Any:
    """The batch with a copy of each tensor, for a step that changes its batch."""
    return replace_tensors(batch, lambda _, tensor: tensor.detach().clone())

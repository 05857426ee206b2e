"""Tell tensors that a moved model leaves behind, or loses when it is saved, from those that the forward looks after."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from tierproof.checks.tier1.moving import travel
from tierproof.model.compare.steady_answer import Baseline
from tierproof.model.describe.fresh_instance import build_again
from tierproof.model.preserve.copy_model import copy_sharing_values
from tierproof.model.preserve.unregistered_items import HiddenItem, find_hidden_items

_OTHER_SEED = 7919


def find_left_behind(base: Baseline, items: Sequence[HiddenItem]) -> list[HiddenItem]:
    """Those of the hidden tensors that registering would mend.

    A tensor that the forward moves to its input's device, and that the constructor makes again with the same values,
    is neither left behind nor lost.
    """
    if not items:
        return []
    stays = _find_strays(base, items)
    if stays is None:
        return list(items)
    moved = [item for item in items if _find_storage(item) not in stays]
    again = _collect_again(base) if any(_is_of_floats(item) for item in moved) else {}
    fine = {id(item) for item in moved if not _is_of_floats(item) or _is_made_again(item, again)}
    return [item for item in items if id(item) not in fine]


def _find_strays(base: Baseline, items: Sequence[HiddenItem]) -> set[int] | None:
    """Storages that met a moved tensor where a GPU would raise; None where the model cannot be followed."""
    model = base.answers.subject.model
    if base.answers.subject.device.type != "cpu":
        return None
    kept = [(item.value, item.value.detach().clone()) for item in items if isinstance(item.value, Tensor)]
    try:
        copied = copy_sharing_values(model)
        places = {(item.owner, item.attribute): _find_storage(item) for item in find_hidden_items(copied)}
        journey = travel(base, copied)
    except Exception:  # noqa: BLE001 - such a model is judged without the journey
        return None
    finally:
        with torch.no_grad():
            for tensor, values in kept:
                tensor.copy_(values)
    strays = {mix.stray.untyped_storage().data_ptr() for mix in journey.mixes}
    if journey.error:
        return None
    return {_find_storage(item) for item in items if places.get((item.owner, item.attribute)) in strays}


def _find_storage(item: HiddenItem) -> int:
    return item.value.untyped_storage().data_ptr() if isinstance(item.value, Tensor) else 0


def _is_of_floats(item: HiddenItem) -> bool:
    return isinstance(item.value, Tensor) and (item.value.is_floating_point() or item.value.is_complex())


def _collect_again(base: Baseline) -> dict[tuple[str, str], Tensor]:
    """The hidden tensors of another instance, by owner and attribute; empty where none can be built."""
    # From another random state, so that what is drawn differs.
    torch.manual_seed(base.answers.seed + _OTHER_SEED)
    fresh = build_again(base.answers.subject)
    if isinstance(fresh, str):
        return {}
    return {(i.owner, i.attribute): i.value for i in find_hidden_items(fresh) if isinstance(i.value, Tensor)}


def _is_made_again(item: HiddenItem, again: dict[tuple[str, str], Tensor]) -> bool:
    other = again.get((item.owner, item.attribute))
    return isinstance(item.value, Tensor) and other is not None and torch.equal(item.value.to(other), other)

"""Edit rows of token ids: swap, drop, insert, reorder, truncate and pad.

Each function takes ids of shape [rows, positions] and which positions may be edited, [rows, positions], and chooses
the places from the generator. All rows keep one common length, so each row is edited at equally many places.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

ADDED = -1
"""The origin of a position that was not in the input."""


@dataclass(frozen=True)
class TokenEdit:
    """An edited input.

    Attributes:
        ids: [rows, new positions].
        origins: [rows, new positions]; the old position that each new one shows, or `ADDED`. A swapped token has the
            origin of the one it replaces.
        hidden: [rows, new positions]; positions that a padding mask has to hide.
    """

    ids: Tensor
    origins: Tensor
    hidden: Tensor


def count_places(editable: Tensor, strength: float) -> int:
    """How many places of each row a strength means: at least one where it is above 0, and never all of them."""
    fewest = int(editable.sum(dim=1).min())
    if strength <= 0 or fewest == 0:
        return 0
    return min(max(round(strength * fewest), 1), fewest)


def keep_tokens(ids: Tensor) -> TokenEdit:
    """The input as it is."""
    origins = torch.arange(ids.shape[1], device=ids.device).expand_as(ids).clone()
    return TokenEdit(ids.clone(), origins, torch.zeros_like(ids, dtype=torch.bool))


def swap_tokens(
    ids: Tensor, editable: Tensor, places: int, plain: Sequence[int], generator: torch.Generator
) -> TokenEdit:
    """Replace exactly `places` tokens of each row by others, drawn evenly from `plain`."""
    edit = keep_tokens(ids)
    allowed = torch.tensor(plain, dtype=ids.dtype)
    for row, chosen in enumerate(_choose(editable, places, generator)):
        for place in chosen:
            others = allowed[allowed != ids[row, place].cpu()]
            if len(others):
                pick = torch.randint(len(others), (1,), generator=generator, device="cpu")
                edit.ids[row, place] = others[pick].item()
    return edit


def drop_tokens(ids: Tensor, editable: Tensor, places: int, generator: torch.Generator) -> TokenEdit:
    """Leave `places` tokens of each row out."""
    dropped = _choose(editable, min(places, ids.shape[1] - 1), generator)
    return _keep_positions(ids, dropped)


def truncate_tokens(ids: Tensor, editable: Tensor, places: int, *, keep_end: bool) -> TokenEdit:
    """Leave the last editable tokens of each row out, or the first ones where the end is to be kept."""
    places = min(places, ids.shape[1] - 1)
    cut = []
    for row in editable:
        positions = row.nonzero().flatten().tolist()
        cut.append(positions[:places] if keep_end else positions[len(positions) - places :])
    return _keep_positions(ids, cut)


def insert_tokens(
    ids: Tensor, editable: Tensor, places: int, plain: Sequence[int], generator: torch.Generator
) -> TokenEdit:
    """Put `places` tokens, drawn evenly from `plain`, before editable tokens of each row, one before each."""
    rows = []
    for row, chosen in enumerate(_choose(editable, places, generator)):
        picks = torch.randint(len(plain), (len(chosen),), generator=generator, device="cpu").tolist()
        before = dict(zip(chosen, picks, strict=True))
        made: list[tuple[int, int]] = []
        for place, token in enumerate(ids[row].tolist()):
            if place in before:
                made.append((plain[before[place]], ADDED))
            made.append((token, place))
        rows.append(made)
    pairs = torch.tensor(rows, device=ids.device)
    return TokenEdit(
        pairs[..., 0].to(ids.dtype), pairs[..., 1], torch.zeros_like(pairs[..., 0], dtype=torch.bool)
    )


def shuffle_neighbours(ids: Tensor, editable: Tensor, pairs: int, generator: torch.Generator) -> TokenEdit:
    """Exchange up to `pairs` disjoint pairs of neighbouring editable tokens of each row."""
    edit = keep_tokens(ids)
    for row in range(len(ids)):
        starts = (editable[row, :-1] & editable[row, 1:]).nonzero().flatten()
        order = starts[torch.randperm(len(starts), generator=generator, device="cpu").to(starts.device)]
        taken: set[int] = set()
        for start in order.tolist():
            if len(taken) == 2 * pairs:
                break
            if not {start, start + 1} & taken:
                taken |= {start, start + 1}
                for tensor in (edit.ids, edit.origins):
                    tensor[row, [start, start + 1]] = tensor[row, [start + 1, start]]
    return edit


def pad_tokens(ids: Tensor, count: int, pad: int, *, left: bool) -> TokenEdit:
    """Add `count` padding tokens on one side of each row."""
    padding = torch.full((len(ids), count), pad, dtype=ids.dtype, device=ids.device)
    edit = keep_tokens(ids)
    parts = (
        (padding, ids),
        (torch.full_like(padding, ADDED), edit.origins),
        (torch.ones_like(padding, dtype=torch.bool), edit.hidden),
    )
    joined = [torch.cat((new, old) if left else (old, new), dim=1) for new, old in parts]
    return TokenEdit(*joined)


def _keep_positions(ids: Tensor, dropped: Sequence[Sequence[int]]) -> TokenEdit:
    kept = [[place for place in range(ids.shape[1]) if place not in set(gone)] for gone in dropped]
    origins = torch.tensor(kept, device=ids.device)
    return TokenEdit(ids.gather(1, origins), origins, torch.zeros_like(origins, dtype=torch.bool))


def _choose(editable: Tensor, places: int, generator: torch.Generator) -> list[list[int]]:
    """`places` editable positions of each row, in order."""
    chosen = []
    for row in editable:
        positions = row.nonzero().flatten().cpu()
        order = torch.randperm(len(positions), generator=generator, device="cpu")[:places]
        chosen.append(sorted(positions[order].tolist()))
    return chosen

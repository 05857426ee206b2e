"""Propose edited inputs: by the first-order effect of each token, or at random."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import torch
from torch import Tensor

from tierproof.analysis.adversarial.round_trip import RoundTrip

# Values of one block of the table of effects, positions × tokens.
_BLOCK = 4_000_000
_MOST_TRIES = 40


@dataclass(frozen=True)
class Playground:
    """Which edits a search may make.

    Attributes:
        original: [positions], the ids before any.
        editable: positions that may change.
        plain: ids that may stand there, in order.
        most_changed: how many positions may differ from the original.
        round_trip: what a text can give.
    """

    original: Tensor
    editable: tuple[int, ...]
    plain: Tensor
    most_changed: int
    round_trip: RoundTrip

    def open_positions(self, ids: Tensor) -> list[int]:
        """Positions where another edit stays within `most_changed`."""
        changed = (ids != self.original).nonzero().flatten().tolist()
        return list(self.editable) if len(changed) < self.most_changed else changed

    def replace(self, ids: Tensor, position: int, token: int) -> Tensor | None:
        """The ids with one token replaced; None where it is there already, or no text gives the result."""
        if int(ids[position]) == token:
            return None
        edited = ids.clone()
        edited[position] = token
        return edited if self.round_trip.passes(edited.tolist()) else None


@dataclass
class TokenEffects:
    """The tokens at each open position that lower the margin most by its first-order change, the best first.

    Attributes:
        ranked: (change of the margin, position, token), ascending.
    """

    ranked: list[tuple[float, int, int]] = field(default_factory=list)


def rank_effects(
    gradients: Sequence[tuple[Tensor, Tensor]], ids: Tensor, ground: Playground, each: int
) -> TokenEffects:
    """Rank replacements by the gradient's product with the difference of the embeddings.

    Args:
        gradients: [positions, width] and the table, of each lookup.
        each: how many tokens of each position are kept.

    Source: HotFlip (Ebrahimi et al. 2018), equation 4.
    """
    positions = ground.open_positions(ids)
    effects = TokenEffects()
    step = max(1, _BLOCK // max(len(ground.plain), 1))
    for start in range(0, len(positions), step):
        block = torch.tensor(positions[start : start + step], device=ids.device)
        change = torch.zeros(len(block), len(ground.plain), device=ids.device)
        for gradient, table in gradients:
            rows = gradient[block].float()
            present = (rows * table[ids[block]].float()).sum(dim=-1, keepdim=True)
            change += rows @ table[ground.plain].float().t() - present
        best = change.topk(min(each, len(ground.plain)), dim=-1, largest=False)
        for place, values, tokens in zip(block.tolist(), best.values, best.indices, strict=True):
            effects.ranked += [
                (value, place, int(ground.plain[token]))
                for value, token in zip(values.tolist(), tokens.tolist(), strict=True)
            ]
    effects.ranked.sort()
    return effects


def take_best(effects: TokenEffects, ids: Tensor, ground: Playground, count: int) -> list[Tensor]:
    """The `count` best edits that were not taken yet; they are removed from the ranking."""
    taken: list[Tensor] = []
    while effects.ranked and len(taken) < count:
        _, position, token = effects.ranked.pop(0)
        edited = ground.replace(ids, position, token)
        if edited is not None:
            taken.append(edited)
    return taken


def combine_best(
    effects: TokenEffects, ids: Tensor, ground: Playground, counts: Sequence[int]
) -> list[Tensor]:
    """Several replacements at once, from one gradient: the best of each position, for so many positions.

    Counts that the limit on changed positions, or the tokenizer, has no room for are left out.
    """
    best: dict[int, int] = {}
    for change, position, token in effects.ranked:
        if change < 0:
            best.setdefault(position, token)
    made: list[Tensor] = []
    for count in counts:
        if count > len(best):
            break
        edited = ids.clone()
        for position, token in list(best.items())[:count]:
            edited[position] = token
        few = int((edited != ground.original).sum()) <= ground.most_changed
        if few and ground.round_trip.passes(edited.tolist()):
            made.append(edited)
    return made


def draw_among(
    effects: TokenEffects, ids: Tensor, ground: Playground, count: int, generator: torch.Generator
) -> list[Tensor]:
    """Edits drawn evenly: a position, then one of the tokens ranked there.

    Source: greedy coordinate gradient (Zou et al. 2023), algorithm 1.
    """
    ranked: dict[int, list[int]] = {}
    for _, position, token in effects.ranked:
        ranked.setdefault(position, []).append(token)
    return _draw(ids, ground, count, generator, {place: torch.tensor(t) for place, t in ranked.items()})


def draw_any(ids: Tensor, ground: Playground, count: int, generator: torch.Generator) -> list[Tensor]:
    """Edits drawn evenly: an open position, then any plain token."""
    plain = ground.plain.cpu()
    return _draw(ids, ground, count, generator, dict.fromkeys(ground.open_positions(ids), plain))


def _draw(
    ids: Tensor, ground: Playground, count: int, generator: torch.Generator, choices: dict[int, Tensor]
) -> list[Tensor]:
    positions = list(choices)
    drawn: list[Tensor] = []
    seen: set[tuple[int, int]] = set()
    for _ in range(_MOST_TRIES * count):
        if len(drawn) == count or not positions:
            break
        position = positions[_pick(len(positions), generator)]
        tokens = choices[position]
        token = int(tokens[_pick(len(tokens), generator)])
        if (position, token) in seen:
            continue
        seen.add((position, token))
        edited = ground.replace(ids, position, token)
        if edited is not None:
            drawn.append(edited)
    return drawn


def _pick(count: int, generator: torch.Generator) -> int:
    return int(torch.randint(count, (1,), generator=generator, device="cpu"))

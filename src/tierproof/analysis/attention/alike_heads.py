"""Put heads of all layers whose maps are alike into clusters."""

from __future__ import annotations

import torch
from torch import Tensor

from tierproof.analysis.attention.attention_maps import AlikeHeads, PatternMaps
from tierproof.analysis.attention.head_clusters import cluster_heads

# A product of each two heads' maps: a second, and some megabytes.
_MOST_HEADS = 1024


def find_alike_heads(patterns: tuple[PatternMaps, ...]) -> tuple[AlikeHeads, ...]:
    """Clusters of heads over all operations whose maps have the same size, from the maps that were kept.

    Two heads of a cluster agree by `head_clusters.ALIKE` or more: the cosine of their maps, for the first row of the
    call. The rounding of the maps moves it by some thousandths.

    Returns:
        the largest first, each as (place of the operation, head); none where more than 1,024 heads have that size.
    """
    sizes: dict[tuple[int, int], list[tuple[int, int]]] = {}
    for place, pattern in enumerate(patterns):
        if pattern.rows * pattern.columns > 1:
            sizes.setdefault((pattern.queries, pattern.keys), []).extend(
                (place, number) for number in range(len(pattern.heads))
            )
    found = []
    for members in sizes.values():
        if not 1 < len(members) <= _MOST_HEADS:
            continue
        maps = torch.stack([_decode(patterns[place].values[number]) for place, number in members])
        unit = maps / maps.norm(dim=-1, keepdim=True).clamp(min=1e-30)
        for cluster in cluster_heads((unit @ unit.T).double()):
            chosen = [members[at] for at in cluster]
            found.append(tuple((place, patterns[place].heads[number]) for place, number in chosen))
    return tuple(sorted(found, key=lambda cluster: (-len(cluster), cluster)))


def _decode(values: bytes) -> Tensor:
    return torch.frombuffer(bytearray(values), dtype=torch.uint8).float().div(255).square()

"""Put heads that look at the same places into clusters."""

from __future__ import annotations

import torch
from torch import Tensor

# Clark et al. 2019 (arXiv 1906.04341) find that heads of one layer often behave alike; the cosine between two maps
# from which on they are put together, in every pair of the cluster.
ALIKE = 0.9


def cluster_heads(agreement: Tensor) -> tuple[tuple[int, ...], ...]:
    """Join heads by complete linkage: any two of a cluster agree by `ALIKE` or more. Heads alone are left out.

    Args:
        agreement: cosine between the maps of each two heads, [heads, heads].
    """
    clusters = [[head] for head in range(len(agreement))]
    links = agreement.nan_to_num(0.0).clone().fill_diagonal_(-float("inf"))
    while len(clusters) > 1 and float(links.max()) >= ALIKE:
        kept, joined = sorted(divmod(int(links.argmax()), len(links)))
        clusters[kept] += clusters.pop(joined)
        links[kept] = torch.minimum(links[kept], links[joined])
        links[:, kept] = links[kept]
        rest = [at for at in range(len(links)) if at != joined]
        links = links[rest][:, rest]
    return tuple(tuple(sorted(cluster)) for cluster in clusters if len(cluster) > 1)

"""How much can flow from each input position to one position of a layer, when each weight is the width of a pipe.

Maximum flow over the layered graph of a rollout (Abnar & Zuidema 2020, arXiv 2005.00928), by networkx, which torch
brings along.
"""

from __future__ import annotations

from typing import Any

from torch import Tensor

from tierproof._optional import require
from tierproof.errors import UsageError

# Edges times targets: some seconds.
_MOST_WORK = 4_000_000
# Capacities are whole numbers for the search, whose end is certain only then; a weight is rounded to 2⁻⁴⁰.
_WHOLE = 1 << 40


def measure_flow(steps: Tensor, position: int) -> tuple[float, ...]:
    """The largest flow from each input position to `position` behind the last layer.

    Args:
        steps: capacities of each layer, [layers, positions, positions]: from column to row.
        position: counted from 0; negative from the end.

    Returns:
        one flow for each input position, at most the sum of the position's own row; they are measured one by one, so
        their sum may be larger.

    Raises:
        UsageError: no such position, or the graph is too large.
        MissingPackageError: networkx is not installed.
    """
    layers, size, _ = steps.shape
    if not -size <= position < size:
        raise UsageError(f"there is no position {position}: the sequence has {size}")
    position %= size
    edges = int((steps > 0).sum())
    if edges * size > _MOST_WORK:
        raise UsageError(
            f"the graph is too large for maximum flow: {layers} layers of {size} positions",
            hint="Analyse a shorter example, or use the rollout.",
        )
    networkx: Any = require("networkx", feature="to measure attention flow")
    graph = networkx.DiGraph()
    for layer, step in enumerate(steps.tolist()):
        graph.add_edges_from(
            ((layer, key), (layer + 1, query), {"capacity": round(weight * _WHOLE)})
            for query, row in enumerate(step)
            for key, weight in enumerate(row)
            if weight > 0
        )
    return tuple(_find_flow(networkx, graph, (0, key), (layers, position)) for key in range(size))


def _find_flow(networkx: Any, graph: Any, source: tuple[int, int], target: tuple[int, int]) -> float:
    if not graph.has_node(source) or not graph.has_node(target):
        return 0.0
    return networkx.maximum_flow_value(graph, source, target) / _WHOLE  # type: ignore[no-any-return]

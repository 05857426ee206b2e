"""What is measured of attention: a model's operations, and the heads of each.

The scores by position follow Voita et al. 2019 (arXiv 1905.09418) and Clark et al. 2019 (arXiv 1906.04341), those on
repeated tokens Olsson et al. 2022 (arXiv 2209.11895).
"""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass

from tierproof.core.json_value import JsonValue, to_json_value


@dataclass(frozen=True)
class HeadStatistics:
    """One head; each figure is a mean over rows of the batch and query positions.

    Attributes:
        entropy_nats: of the weights.
        relative_entropy: the same divided by the logarithm of the number of keys seen, over the queries that see two
            or more: 0 for one key, 1 for all keys alike.
        largest: the largest weight of a query.
        first: weight on the first key.
        distance: |query − key| in positions, weighted; None unless queries and keys are the same positions.
        diagonal, previous, local: weight on the query's own position, on the one before, on at most two to either
            side; None as above.
        induction: in the second half of tokens that repeat, weight on the token after the same token's first place.
        duplicate: there, weight on the first place itself. Both None where nothing repeats.
        sink: weight that no key gets, because the softmax has a column of its own for it (gpt-oss); 0 for the others.
        query_change: total variation between the weights of neighbouring queries, over the keys that both see and in
            a sample of places: 0 for a head that puts the same weights whatever the query; None for one query.
        output_rms: root mean square of what the weights make of the values.
        nearest: the other head of the operation whose output is most alike.
        nearest_difference: norm of the difference of the two outputs over the larger of their norms. All three None
            where the output could not be read, the last two for a single head as well.
        effect: norm of the change of the model's outputs where this head's output is replaced by zeros, over their
            norm; None where it was not tried.
        divergence_nats: Kullback–Leibler divergence of the distribution over classes or tokens without this head from
            the one with it, a mean over rows and positions; None where it was not tried or the outputs are no scores.
    """

    entropy_nats: float
    relative_entropy: float
    largest: float
    first: float
    distance: float | None = None
    diagonal: float | None = None
    previous: float | None = None
    local: float | None = None
    induction: float | None = None
    duplicate: float | None = None
    sink: float = 0.0
    query_change: float | None = None
    output_rms: float | None = None
    nearest: int | None = None
    nearest_difference: float | None = None
    effect: float | None = None
    divergence_nats: float | None = None

    @property
    def is_finite(self) -> bool:
        """Whether the weights held neither NaN nor infinity."""
        return math.isfinite(self.entropy_nats) and math.isfinite(self.first)


@dataclass(frozen=True)
class PatternStatistics:
    """The heads of one attention operation.

    Attributes:
        path, kind, queries, keys: of the pattern; sizes are those of the longest pass.
        heads: in order.
        agreement: cosine similarity between the maps of each two heads.
        sum_error: largest |sum − 1| of the weights of a query that sees any key.
        occurrence: how many operations the module had computed in the pass before.
        clusters: heads whose maps are alike, in groups of two or more.
    """

    path: str
    kind: str
    queries: int
    keys: int
    heads: tuple[HeadStatistics, ...]
    agreement: tuple[tuple[float, ...], ...]
    sum_error: float
    occurrence: int = 0
    clusters: tuple[tuple[int, ...], ...] = ()


@dataclass(frozen=True)
class ModelAttention:
    """What each attention operation of a model attends to, over one forward pass or more.

    Attributes:
        model: class of the model.
        inputs: what the passes ran on, in words.
        period: after how many positions the tokens repeat; None where they do not.
        patterns: in the order in which they were computed.
        unread: what could not be read, with the module.
        banded: softmaxes whose weights lie in bands or pieces and were put in order: the module, and which of its
            softmaxes. Another pass has to be told.
    """

    model: str
    inputs: str
    period: int | None
    patterns: tuple[PatternStatistics, ...]
    unread: tuple[str, ...]
    banded: tuple[tuple[str, int], ...] = ()

    @property
    def heads_tried(self) -> int:
        """How many heads were left out to see what the outputs lose."""
        return sum(head.effect is not None for each in self.patterns for head in each.heads)

    def to_dict(self) -> dict[str, JsonValue]:
        """The measurements as they stand in a report."""
        return {
            "heads_left_out_in_turn": self.heads_tried,
            "heads": sum(len(each.heads) for each in self.patterns),
            "operations": len(self.patterns),
            "inputs": self.inputs,
            "model": self.model,
            "period": self.period,
            "patterns": [
                {
                    "path": each.path,
                    "kind": each.kind,
                    "queries": each.queries,
                    "keys": each.keys,
                    "sum_error": to_json_value(each.sum_error),
                    "heads": [to_json_value(asdict(head)) for head in each.heads],
                    "agreement": to_json_value(each.agreement),
                    "occurrence": each.occurrence,
                    "clusters": [list(cluster) for cluster in each.clusters],
                }
                for each in self.patterns
            ],
            "unread": list(self.unread),
        }

"""What is measured of a model's capacity: plain frozen data, without torch."""

from __future__ import annotations

import statistics
from dataclasses import asdict, dataclass

from tierproof.core.json_value import JsonValue, to_json_value


@dataclass(frozen=True)
class WeightSpectrum:
    """The singular values of one weight matrix; see `matrix_spectrum.Spectrum` for the figures.

    Attributes:
        name: of the parameter, with `[n]` behind it for one matrix of a stack of them.
        kind: linear, convolution, embedding, recurrent or other.
        shape: of the parameter.
    """

    name: str
    kind: str
    shape: tuple[int, ...]
    full_rank: int
    effective_rank: float
    stable_rank: float
    top_share: float
    tail_exponent: float | None
    relative_error: float

    @property
    def rank_share(self) -> float:
        """The effective rank divided by the full rank."""
        return self.effective_rank / self.full_rank


@dataclass(frozen=True)
class BlockState:
    """The residual stream behind one block; the first of a stack is the stream that enters it.

    Attributes:
        path: of the block; empty for what enters the stack.
        norm: mean Euclidean norm of a position.
        update: mean of ‖block(x) − x‖ / ‖x‖; None for what enters, and where the block changes the shape.
        spread: root mean square distance of the positions from their mean, over their root mean square norm: 0 where
            all positions are alike, near 1 where they have nothing in common.
        channel_spread: the same of the median channel, which no single large channel decides.
        largest: the largest magnitude; `median` is the median magnitude.
        channel: where the largest is; `position` the position in its row, None where rows have more than one axis.
        outlier_ratio: the largest channel's largest magnitude over the median channel's.
        agreement: share of positions whose first choice, read off here by the logit lens, is the model's; None where
            it is not read.
        divergence_nats: Kullback-Leibler divergence of that reading from the model's answer, a mean
            over at most 128 positions of each input.
    """

    path: str
    norm: float
    update: float | None
    spread: float
    channel_spread: float
    largest: float
    median: float
    channel: int
    position: int | None
    outlier_ratio: float
    agreement: float | None = None
    divergence_nats: float | None = None


@dataclass(frozen=True)
class BlockStack:
    """The blocks of one residual stream, in the order in which they run.

    Attributes:
        path: of their container.
        states: what enters, then what each block gives.
        alignment: linear CKA between each two states, None where it is not defined; empty where too few positions ran.
        positions: how many it rests on.
    """

    path: str
    states: tuple[BlockState, ...]
    alignment: tuple[tuple[float | None, ...], ...]
    positions: int


@dataclass(frozen=True)
class UnitActivity:
    """The units of one activation function that is zero for small inputs (ReLU, GELU, SiLU and their like).

    Attributes:
        path: of the module that applies it.
        function: its name.
        units: how many there are.
        silent: how many never exceed a millionth of the layer's largest magnitude.
        never_positive: how many are zero or negative at every position.
        positions: how many they were seen at.
    """

    path: str
    function: str
    units: int
    silent: int
    never_positive: int
    positions: int


@dataclass(frozen=True)
class EmbeddingShape:
    """The directions of the rows of one table.

    Attributes:
        name: of the parameter.
        rows, width: of it; rows of zeros are left out of the figures.
        mean_cosine: over all pairs of rows.
        partition_ratio: min Z(c) / max Z(c) over the eigenvectors c of EᵀE, both signs; Z(c) = Σ exp(c·row). 1 for an
            isotropic table.
        sampled_rows: how many rows the ratio rests on.
    """

    name: str
    rows: int
    width: int
    mean_cosine: float
    partition_ratio: float | None
    sampled_rows: int


@dataclass(frozen=True)
class ExpertLoad:
    """Where the tokens of one mixture of experts go.

    Attributes:
        path: of the experts.
        shares: of all choices (or of the weight, where every expert gets every token), for each expert.
        choices: how many choices there were; 0 where every expert gets every token.
        relative_entropy: mean entropy of the router's probabilities of a token over the logarithm of the number of
            experts: 0 where it is certain, 1 where it is even; None where no router was seen.
        load_entropy: the same of the shares.
    """

    path: str
    shares: tuple[float, ...]
    choices: int
    relative_entropy: float | None
    load_entropy: float


@dataclass(frozen=True)
class CapacityFigures:
    """All that is measured of one model.

    Attributes:
        positions: how many positions ran.
        unread: what could not be measured, with the reason.
    """

    weights: tuple[WeightSpectrum, ...] = ()
    stacks: tuple[BlockStack, ...] = ()
    units: tuple[UnitActivity, ...] = ()
    embeddings: tuple[EmbeddingShape, ...] = ()
    experts: tuple[ExpertLoad, ...] = ()
    positions: int = 0
    unread: tuple[str, ...] = ()

    def to_dict(self) -> dict[str, JsonValue]:
        """The figures as they stand in a report."""
        document = to_json_value(asdict(self))
        assert isinstance(document, dict)
        return document


@dataclass(frozen=True)
class Unusual:
    """One figure of one layer that differs from the same figure of its siblings.

    Attributes:
        where: the layer.
        figure: which one, in words.
        own: its value; `usual` is the median of its siblings.
        other: the same layer's value in the model that it is compared with; None where there is none.
        score: distance from the siblings' median, in robust standard deviations.
        siblings: how many there are.
    """

    where: str
    figure: str
    own: float
    usual: float
    other: float | None
    score: float
    siblings: int


@dataclass(frozen=True)
class ModelCapacity:
    """A model's figures beside those of a freshly initialised twin, and of a reference.

    Attributes:
        model: its class.
        inputs: what it ran on, in words.
        own: its figures.
        twin: those of a new instance of the class; None where `twin_reason` says why.
        reference: those of the model that it is compared with; `reference_name` is its class.
        unusual: what stands out among its layers, most of all first.
    """

    model: str
    inputs: str
    own: CapacityFigures
    twin: CapacityFigures | None = None
    twin_reason: str = ""
    reference: CapacityFigures | None = None
    reference_name: str = ""
    unusual: tuple[Unusual, ...] = ()

    def to_dict(self) -> dict[str, JsonValue]:
        """The measurements as they stand in a report."""
        shares = [each.rank_share for each in self.own.weights]
        return {
            "median_rank_share": statistics.median(shares) if shares else None,
            "largest_activation": max((b.largest for s in self.own.stacks for b in s.states), default=None),
            "inputs": self.inputs,
            "model": self.model,
            "unusual": [to_json_value(asdict(each)) for each in self.unusual],
            "own": self.own.to_dict(),
            "twin": None if self.twin is None else self.twin.to_dict(),
            "twin_reason": self.twin_reason or None,
            "reference": None if self.reference is None else self.reference.to_dict(),
            "reference_name": self.reference_name,
        }

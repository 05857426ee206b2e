"""What is measured of attribution: the scores of each example's tokens, patches or segments, by method.

Integrated gradients follow Sundararajan et al. 2017 (arXiv 1703.01365), gradient times input Shrikumar et al. 2016
(arXiv 1605.01713), ablation (occlusion) Zeiler and Fergus 2014 (arXiv 1311.2901).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from tierproof.core.json_value import JsonValue, to_json_value

INTEGRATED, GRADIENT, ABLATION = "integrated_gradients", "gradient_times_input", "ablation"
METHODS = (INTEGRATED, GRADIENT, ABLATION)


@dataclass(frozen=True)
class PartScores:
    """The scores of one input of the model.

    Attributes:
        name: of the argument.
        kind: tokens, image, audio or floats.
        pieces: what each score is for: the text or id of a token, a stretch of positions, a cell of the image.
        kept: for each piece, whether padding leaves it in; what is padding has no say.
        grid: frames, rows and columns of the pieces of an image or video; empty for others.
        scores: by method, one for each piece, in units of the target's score.
        picture: the frames of an image side by side, as PNG, stretched from its darkest to its lightest value; None
            for others.
    """

    name: str
    kind: str
    pieces: tuple[str, ...]
    kept: tuple[bool, ...]
    grid: tuple[int, ...] = ()
    scores: Mapping[str, tuple[float, ...]] = field(default_factory=dict)
    picture: bytes | None = field(default=None, repr=False)

    def to_dict(self) -> dict[str, JsonValue]:
        """The scores as they stand in a report."""
        return {
            "name": self.name,
            "kind": self.kind,
            "pieces": list(self.pieces),
            "kept": list(self.kept),
            "grid": list(self.grid),
            "scores": {method: to_json_value(values) for method, values in self.scores.items()},
        }


@dataclass(frozen=True)
class PathIntegral:
    """How well the integral over the path from the baseline to the input converged.

    Attributes:
        steps: points of the last integral.
        delta: sum of the scores less (score − baseline score): what completeness is off by.
        relative_delta: |delta| by |score − baseline score|, or by a tenth of the sum of the absolute scores where that
            is more: where contributions cancel, their difference is no measure.
        rank_change: one less the rank correlation with half the steps; None where there are fewer than three pieces.
        converged: whether delta and ranking both held.
        reverse_error: largest |score + score of the path walked backwards, at other points|, by the largest score;
            None where it was not walked.
    """

    steps: int
    delta: float
    relative_delta: float
    rank_change: float | None
    converged: bool
    reverse_error: float | None = None

    def to_dict(self) -> dict[str, JsonValue]:
        """The integral as it stands in a report."""
        return {
            "steps": self.steps,
            "delta": to_json_value(self.delta),
            "relative_delta": to_json_value(self.relative_delta),
            "rank_change": to_json_value(self.rank_change),
            "converged": self.converged,
            "reverse_error": to_json_value(self.reverse_error),
        }


@dataclass(frozen=True)
class CostForecast:
    """What the gradients of one example were expected to cost, before they were computed.

    Attributes:
        point_bytes: memory of one forward and backward pass at one point of the path.
        fixed_bytes: memory that does not grow with the points.
        free_bytes: memory that was free; None if unknown.
        point_s: time of one such pass.
        chunk: points that are computed at once.
        least_points, most_points: of the path, where it converges at once and where it never does.
        fitted: the memory was fitted to shorter inputs, not measured at this length.
    """

    point_bytes: int
    fixed_bytes: int
    free_bytes: int | None
    point_s: float
    chunk: int
    least_points: int
    most_points: int
    fitted: bool = False

    @property
    def peak_bytes(self) -> int:
        """The memory of one chunk."""
        return self.fixed_bytes + self.chunk * self.point_bytes

    @property
    def least_s(self) -> float:
        """The time where the path converges at once."""
        return self.least_points * self.point_s

    def describe(self) -> str:
        """In words, for a progress line."""
        most_s = self.most_points * self.point_s
        return f"{self.least_s:.2g}–{most_s:.2g} s and {self.peak_bytes / 1e6:.3g} MB"

    def to_dict(self) -> dict[str, JsonValue]:
        """The forecast as it stands in a report."""
        return {
            "point_bytes": self.point_bytes,
            "fixed_bytes": self.fixed_bytes,
            "free_bytes": self.free_bytes,
            "point_s": self.point_s,
            "chunk": self.chunk,
            "peak_bytes": self.peak_bytes,
            "least_points": self.least_points,
            "most_points": self.most_points,
            "fitted": self.fitted,
        }


@dataclass(frozen=True)
class ExampleAttribution:
    """The scores of one example.

    Attributes:
        number: of the row, counted over all examples.
        target: whose score is attributed, in words.
        baseline: what stands for *no input*, in words.
        score, baseline_score: the target's score at the input and at the baseline.
        parts: the inputs of the model that got scores.
        path: of integrated gradients; None where they were not computed.
        gradient_finite: whether the gradient at the input is finite; None where it was not computed.
        agreement: rank correlation (Spearman) of the scores of two methods, by `METHOD~METHOD`; None where there are
            fewer than three pieces or all scores are equal.
        left_out: by method, why this example has no scores of it.
        forecast: of the gradients' cost; None where none were computed.
    """

    number: int
    target: str
    baseline: str
    score: float
    baseline_score: float
    parts: tuple[PartScores, ...]
    path: PathIntegral | None = None
    gradient_finite: bool | None = None
    agreement: Mapping[str, float | None] = field(default_factory=dict)
    left_out: Mapping[str, str] = field(default_factory=dict)
    forecast: CostForecast | None = None

    @property
    def methods(self) -> tuple[str, ...]:
        """The methods that gave scores, in a fixed order."""
        return tuple(method for method in METHODS if any(method in part.scores for part in self.parts))

    def iterate_scores(self, method: str) -> Iterator[float]:
        """The scores of a method over all parts, without padding."""
        for part in self.parts:
            for kept, score in zip(part.kept, part.scores.get(method, ()), strict=False):
                if kept:
                    yield score

    def to_dict(self) -> dict[str, JsonValue]:
        """The example as it stands in a report."""
        return {
            "number": self.number,
            "target": self.target,
            "baseline": self.baseline,
            "score": to_json_value(self.score),
            "baseline_score": to_json_value(self.baseline_score),
            "gradient_finite": self.gradient_finite,
            "path": None if self.path is None else self.path.to_dict(),
            "agreement": to_json_value(dict(self.agreement)),
            "left_out": dict(self.left_out),
            "forecast": None if self.forecast is None else self.forecast.to_dict(),
            "parts": [part.to_dict() for part in self.parts],
        }


@dataclass(frozen=True)
class ModelAttribution:
    """Which inputs decide a model's answers.

    Attributes:
        model: class of the model.
        inputs: what was attributed, in words.
        examples: those that were finished, wholly or in part.
        left_out: by method, why no example has scores of it.
        skipped: by the number of an example, why it has no scores at all.
        stopped: why the rest was not computed; empty where everything was.
    """

    model: str
    inputs: str
    examples: tuple[ExampleAttribution, ...]
    left_out: Mapping[str, str] = field(default_factory=dict)
    skipped: Mapping[int, str] = field(default_factory=dict)
    stopped: str = ""

    def to_dict(self) -> dict[str, JsonValue]:
        """The measurements as they stand in a report."""
        paths = [each.path for each in self.examples if each.path is not None]
        return {
            "inputs": self.inputs,
            "converged": f"{sum(path.converged for path in paths)} of {len(paths)}",
            "model": self.model,
            "left_out": dict(self.left_out),
            "skipped": {str(number): reason for number, reason in self.skipped.items()},
            "stopped": self.stopped,
            "examples": [example.to_dict() for example in self.examples],
        }

"""How a model is to be checked: the options of `tierproof.check`, checked themselves."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from tierproof.api.show.progress import ProgressOption
from tierproof.errors import UsageError

if TYPE_CHECKING:
    from tierproof.analysis.examples.given_examples import GivenExamples
    from tierproof.model.call.spec import ModelSpec


def read_codes(codes: Sequence[str] | str) -> tuple[str, ...]:
    """Codes of checks from a sequence, or from one string that separates them by commas."""
    if isinstance(codes, str):
        codes = codes.split(",")
    return tuple(code.strip() for code in codes if code.strip())


@dataclass(frozen=True)
class CheckOptions:
    """Everything about a run of the checks but the model.

    Attributes:
        tier: a tier that is built, or "all".
        inputs: a tensor, a tuple, a dict, or a function that returns one; worked out when None.
        spec: what the user declares about the model.
        only, skip: codes of checks or prefixes of them.
        seed: of every random draw.
        budget_s: seconds for everything, or None.
        device: "cpu", "cuda" or "cuda:N"; where the model lies when None.
        progress: a bar, a function of (done, total, name), or nothing.
        examples: the user's own data, for checks that analyse it.
        started_s: when the run began, as `time.monotonic` tells it: loading counts for the budget too. Now when None.

    Raises:
        UsageError: the seed or the budget cannot be used.
    """

    tier: int | str = 1
    inputs: Any = None
    spec: ModelSpec | None = None
    only: tuple[str, ...] = ()
    skip: tuple[str, ...] = ()
    seed: int = 0
    budget_s: float | None = None
    device: str | None = None
    progress: ProgressOption = field(default=True, compare=False)
    examples: GivenExamples | None = None
    started_s: float | None = field(default=None, compare=False)

    def __post_init__(self) -> None:
        if isinstance(self.seed, bool) or not isinstance(self.seed, int) or not 0 <= self.seed < 2**63:
            raise UsageError(f"seed must be an integer in [0, 2^63), not {self.seed!r}")
        if self.budget_s is not None and not self.budget_s > 0:
            raise UsageError(f"budget must be a positive number of seconds, not {self.budget_s!r}")

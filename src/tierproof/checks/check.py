"""What a check is: a code, a name and a pure-looking function from a context to an outcome."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from tierproof.analysis.examples.given_examples import GivenExamples
from tierproof.core.artifact import Artifact
from tierproof.core.finding import Finding
from tierproof.core.json_value import JsonValue
from tierproof.core.measured import Measured
from tierproof.model.describe.subject import Subject


@dataclass(frozen=True)
class Deadline:
    """A point in time after which no optional work is begun; `at_s` is None for no limit."""

    at_s: float | None = None

    @classmethod
    def after(cls, budget_s: float | None) -> Deadline:
        """A deadline `budget_s` seconds from now; no limit for None."""
        return cls(None if budget_s is None else time.monotonic() + budget_s)

    @property
    def remaining_s(self) -> float:
        """Seconds left; infinite without a limit."""
        return float("inf") if self.at_s is None else self.at_s - time.monotonic()

    @property
    def expired(self) -> bool:
        """Whether no time is left."""
        return self.remaining_s <= 0


@dataclass(frozen=True)
class CheckContext:
    """What a check is given.

    The runner calls a check inside `preserve(model)` and restores the model after it, so a check may set
    modes, seeds and gradients; parameter values it changes only on copies.
    """

    subject: Subject
    seed: int = 0
    deadline: Deadline = field(default_factory=Deadline)
    examples: GivenExamples | None = None


@dataclass(frozen=True)
class CheckOutput:
    """What a check gives back.

    Attributes:
        findings: in any order; the runner puts errors first.
        measurements: a type of `checks.measurements` where a figure is drawn of them, else single values
            by name, with units in their names.
        skipped: why the check does not apply; empty where it does.
        artifacts: what is too large for the report's document.
    """

    findings: tuple[Finding, ...] = ()
    measurements: Measured | Mapping[str, JsonValue] = field(default_factory=dict)
    skipped: str = ""
    artifacts: tuple[Artifact, ...] = ()

    @property
    def document(self) -> Mapping[str, JsonValue]:
        """The measurements as they stand in a report."""
        return self.measurements if isinstance(self.measurements, Mapping) else self.measurements.to_dict()


@dataclass(frozen=True)
class Check:
    """One check.

    Attributes:
        code: `T1-GRAD`; its findings are `T1-GRAD-001` and so on.
        name: in words, lower case.
        tier: 1, 2 or 3.
        run: raises nothing on purpose; a crash is reported as `errored`.
        needs: traits it needs, as words of `needed_traits.NEEDED_TRAITS`; where one is lacking it is skipped.
        cost_steps: expected cost on a large model, in training steps (forward, backward, update) of the
            default batch at a length of 128, or of the default call where that is longer.
        value: what a verdict loses without it, from 0 to 100. A short budget drops the least valuable first.
        opt_in: runs only when its full code is named, or when a budget is given that has room for it.
        as_written: looks at the model as it was written; for the others the layers that plain attributes
            hide are registered.
        least_steps: what it takes, as `cost_steps`, where it looks at less and says so: a budget that has no room for
            the whole check gives it the rest. None for a check that runs whole or not at all.
        native: looks at a half-precision model in that precision, on PyTorch's own kernels, because it times them,
            measures their memory or hands the model to a compiler; for the others, see `given_precision`.
    """

    code: str
    name: str
    tier: int
    run: Callable[[CheckContext], CheckOutput]
    needs: tuple[str, ...] = ()
    cost_steps: float = 1.0
    value: int = 50
    opt_in: bool = False
    as_written: bool = False
    native: bool = False
    least_steps: float | None = None

"""What the rules look at: the records of a few steps, each run from a known state."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from torch import Tensor

from tierproof.core.standing import Fact
from tierproof.training.audit.batches.compare_sets import SplitFacts
from tierproof.training.audit.batches.padded_positions import PaddedPositions
from tierproof.training.audit.parts.training_parts import ParameterFacts
from tierproof.training.audit.recording.step_record import StepRecord


class Layout(StrEnum):
    """What the first axis of a batch's tensors is."""

    ROWS = "rows"
    """Another order of it is the same order of the outputs."""
    TIME = "time"
    """That holds for the second axis, and not for the first."""
    MIXED = "mixed"
    """It holds for neither: the model mixes rows."""
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class OptimizerFacts:
    """One optimizer: its class, and for each group the defaults that differ between groups and its parameters."""

    class_name: str
    groups: tuple[Mapping[str, float], ...]
    strangers: int
    """Tensors that it holds and the model does not have."""


@dataclass(frozen=True, slots=True)
class SchedulerFacts:
    """One scheduler: its class, and the rate of the first group after 0, 1, 2, … of its steps, as far as played."""

    class_name: str
    rates: tuple[float, ...]
    of_unused: bool = False
    """Whether it sets the rates of an optimizer that holds the model's parameters and is none of those found."""


@dataclass(frozen=True)
class ChangedTrial:
    """A step on a batch that was changed where the loss should not look, or where it should.

    Attributes:
        what: path of the tensor that was changed.
        record: the step on the changed batch.
    """

    what: str
    record: StepRecord


@dataclass(frozen=True)
class CutTrial:
    """A step after parameters that got no gradient were moved.

    Attributes:
        module: path of the module whose parameters were moved.
        parameters: their paths.
        record: of the step.
    """

    module: str
    parameters: tuple[str, ...]
    record: StepRecord


@dataclass(frozen=True)
class VisibleTrial:
    """Which outputs of one row changed when its token at one position did.

    Attributes:
        what: path of the input tensor.
        row: the row that got another token.
        position: and where.
        changed: by the output's place among the record's, [positions] whether that row's scores changed there.
    """

    what: str
    row: int
    position: int
    changed: Mapping[int, Tensor]


@dataclass(frozen=True)
class RowTrial:
    """What a change of one row did, in a classifier.

    Attributes:
        labels: path of the labels.
        row: that was changed.
        score_change: [rows] how much each row's scores changed with the input of that row.
        changed_targets: the rows whose target changed with the label of that row.
    """

    labels: str
    row: int
    score_change: Tensor
    changed_targets: Tensor


@dataclass(frozen=True)
class GrowthTrial:
    """Calls on one batch after which more was alive each time, and the names of what holds tensors or graphs."""

    records: tuple[StepRecord, ...]
    holders: tuple[str, ...]


@dataclass(frozen=True)
class ResumeTrial:
    """A step that went on, and the same step after its state was saved, reset and loaded.

    Attributes:
        variables: what the step keeps for itself, by name, where the two updates differ, and are equal once these
            variables are carried over too.
    """

    went_on: StepRecord
    resumed: StepRecord
    variables: tuple[str, ...] = ()


@dataclass(frozen=True)
class AuditEvidence:
    """Everything that was recorded; the rules are pure functions of it.

    Attributes:
        facts: what was found, and how.
        parameters: the model's parameters, each with the groups that hold it.
        optimizers, schedulers: what they are.
        averages: names of the averaged weights.
        shared: whether each of them shares memory with the model.
        scaler: whether there is a GradScaler, and it is enabled; None without one.
        calls_per_update: how many calls of the step make one update; 0 where no optimizer ever stepped.
        initial: the state before the first call, as a record without events.
        plain: consecutive calls on the given batches, from the state as given.
        batch_tensors: the tensors of the first batch, by path.
        micro_batches: how many batches of one form the first batch is a list of; 0 where it is none.
        rows: of the first batch; None where its tensors differ in their first axis.
        again: the first call once more, from the same state and seed.
        quiet: the first call with dropout off; None where randomness is left in it.
        permuted: the quiet call with its rows in another order.
        layout: what the first axis of the batch's tensors is, by what another order does to the outputs.
        doubled: the quiet call with every row twice.
        padding: which positions are padding; None where no mask of the batch tells.
        padded: quiet calls with other values at padding, one per tensor.
        visible: which outputs see which tokens.
        cut: quiet calls after parameters without a gradient were moved.
        drawing: whether steps without dropout still draw random numbers. They are the same ones in each trial, but
            for those that depend on the batch, so that nothing is proven by a changed batch.
        row: which rows changed with one; None for a step without labels of rows.
        growth: calls on one batch; None where memory does not grow.
        resumed: the second update, gone on and resumed; None where something cannot be saved.
        one_way: names of generators and iterators that the step reaches: what it takes from them cannot be put back.
        split: what the batches and the held-out data share; None where none was passed.
        not_tried: what could not be tried, with the reason.
    """

    facts: tuple[Fact, ...]
    parameters: tuple[ParameterFacts, ...]
    optimizers: tuple[OptimizerFacts, ...]
    schedulers: tuple[SchedulerFacts, ...]
    averages: tuple[str, ...]
    shared: tuple[bool, ...]
    scaler: bool | None
    calls_per_update: int
    initial: StepRecord
    plain: tuple[StepRecord, ...]
    batch_tensors: Mapping[str, Tensor]
    rows: int | None
    again: StepRecord | None = None
    quiet: StepRecord | None = None
    permuted: StepRecord | None = None
    layout: Layout = Layout.UNKNOWN
    doubled: StepRecord | None = None
    micro_batches: int = 0
    padding: PaddedPositions | None = None
    padded: tuple[ChangedTrial, ...] = ()
    visible: tuple[VisibleTrial, ...] = ()
    cut: tuple[CutTrial, ...] = ()
    drawing: bool = False
    row: RowTrial | None = None
    growth: GrowthTrial | None = None
    resumed: ResumeTrial | None = None
    one_way: tuple[str, ...] = ()
    split: SplitFacts | None = None
    not_tried: tuple[str, ...] = field(default=())

"""What tells that the axis along which T1-BATCH compares rows is the batch axis."""

from __future__ import annotations

from tierproof.core.standing import Fact, Standing
from tierproof.model.call.input_plan import BATCH
from tierproof.model.compare.steady_answer import Baseline
from tierproof.model.observe.lookup_probe import LookupProbe


def state_batch_axis(base: Baseline, *, mixes_as_sequence: bool) -> Fact:
    """Give the batch axis as a fact.

    Args:
        mixes_as_sequence: the slices along this axis influence each other and those along the next do not, as in a
            model that takes (length, batch): then the measurement itself does not tell a bug from another axis.
    """
    subject = base.answers.subject
    primary = subject.inputs.primary_argument
    axis = primary.shape.index(BATCH) if BATCH in primary.shape else 0

    def state(standing: Standing, by: str) -> Fact:
        return Fact("batch axis", standing, f"axis {axis}, {by}", "declare `ModelSpec(batch_first=…)`")

    if primary.sample is not None:
        return state(Standing.GIVEN, "as in the given sample")
    if subject.spec.batch_first is not None:
        return state(Standing.GIVEN, "by ModelSpec.batch_first")
    flags = [bool(m.batch_first) for m in subject.model.modules() if hasattr(m, "batch_first")]
    if flags and any(flags) == (axis == 0):
        return state(Standing.DECLARED, f"by batch_first={any(flags)} of its modules")
    if primary.width_standing is Standing.ASSUMED:
        return state(Standing.ASSUMED, f"of an input whose sizes are assumed: {primary.describe()}")
    if primary.role in ("image", "audio") or not subject.inputs.has_length:
        return state(Standing.MEASURED, "because the first axis of the output changes with it")
    if not mixes_as_sequence:
        return state(Standing.MEASURED, "because slices along every other axis influence each other")
    if _counts_positions(base):
        return state(Standing.MEASURED, "because positions are counted along the other axis")
    return state(Standing.ASSUMED, "because slices along the other axis do not influence each other")


def _counts_positions(base: Baseline) -> bool:
    """Whether the forward counts positions as many as the length axis has, and not as many as there are rows."""
    subject = base.answers.subject
    length = base.call.tensors[subject.inputs.primary].shape[subject.inputs.length_axis]
    probe = LookupProbe({})
    with probe:
        base.answers.forward(base.call)
    return length != base.batch and length in probe.lookups.position_lengths

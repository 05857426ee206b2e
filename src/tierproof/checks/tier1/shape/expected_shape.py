"""The shape that the answer of one size must have, as the output plan says."""

from __future__ import annotations

from tierproof.checks.tier1.shape.shape_cases import ShapeCase
from tierproof.model.describe.subject import Subject


def find_expected_shape(subject: Subject, case: ShapeCase) -> list[int | None]:
    """What the contract says of each axis; None where it says nothing for this size."""
    length = subject.inputs.default_length if case.length is None else case.length
    varied = case.length is not None and case.length != subject.inputs.default_length
    expected: list[int | None] = []
    for position, axis in enumerate(subject.outputs.axes):
        if axis == "batch":
            expected.append(case.batch)
        elif axis == "length":
            expected.append(length)
        elif axis == "target_length":
            expected.append(subject.inputs.follow_length(length))
        elif axis == "vocab":
            expected.append(subject.traits.vocab_size)
        elif isinstance(axis, int):
            # A number may be a length that the model shortens: frames, or where no other axis follows the length.
            primary = subject.inputs.primary_argument
            frames = primary.dtype.is_floating_point
            channels_first = len(primary.shape) > 2 and primary.shape[-1] == "length"
            shortened = (
                varied
                and (frames or not subject.outputs.per_position)
                and (channels_first or position < len(subject.outputs.axes) - 1)
            )
            expected.append(None if shortened else axis)
        else:
            expected.append(None)
    return expected

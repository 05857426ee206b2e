"""What a finding can rest on, and the facts of a subject behind each."""

from __future__ import annotations

from enum import Enum

from tierproof.core.standing import Fact, Standing
from tierproof.model.call.input_plan import Argument, InputPlan
from tierproof.model.describe.subject import Subject

_PASS_INPUTS = "pass a sample of your own (`inputs=…`)"


class Basis(Enum):
    """What a finding can rest on.

    Attributes:
        STATE: the model's own modules, parameters and buffers.
        RUN: the operations that ran, whatever the inputs were.
        ROLES: what each input argument is for.
        INPUTS: the same, with the values and sizes that were drawn.
        CAUSALITY, KIND, ENCODER_DECODER: traits of the model.
        MAXIMUM_LENGTH: the longest input it accepts.
        PADDING_MASK: that the mask argument hides positions.
    """

    STATE = "state of the model"
    RUN = "operations that ran"
    ROLES = "roles of the inputs"
    INPUTS = "inputs"
    CAUSALITY = "causality"
    KIND = "kind"
    ENCODER_DECODER = "encoder-decoder"
    MAXIMUM_LENGTH = "maximum length"
    PADDING_MASK = "padding mask"


def find_facts(subject: Subject, basis: Basis) -> tuple[Fact, ...]:
    """The facts of a subject behind one basis; none where only the model's own state and operations count."""
    if basis in (Basis.STATE, Basis.RUN):
        return ()
    if basis in (Basis.ROLES, Basis.INPUTS):
        return tuple(_describe_input(a, basis) for a in subject.inputs.arguments)
    if basis is Basis.MAXIMUM_LENGTH:
        return (_describe_maximum(subject.inputs),)
    return (subject.traits.fact(basis.value),)


def _describe_input(argument: Argument, basis: Basis) -> Fact:
    standings = [argument.standing]
    if basis is Basis.INPUTS:
        standings += [
            argument.range_standing or argument.standing,
            argument.width_standing or argument.standing,
        ]
    standing = min(standings)
    value = f"{argument.role}, {argument.source}" if argument.source else argument.describe()
    return Fact(f"input `{argument.name}`", standing, value, _PASS_INPUTS)


def _describe_maximum(inputs: InputPlan) -> Fact:
    name, settle = Basis.MAXIMUM_LENGTH.value, "declare `ModelSpec(max_length=…)`"
    if inputs.max_length is None:
        return Fact(
            name, Standing.ASSUMED, "the model declares none, so lengths without a limit were tried", settle
        )
    value = f"{inputs.max_length} by {inputs.max_length_source or 'assumption'}"
    return Fact(name, inputs.max_length_standing, value, settle)

"""One way to fill a parameter of a forward pass, and the plans that combine one choice for each."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

from tierproof.model.call.input_plan import TARGET_LENGTH, Argument, InputPlan
from tierproof.model.call.layout import Slot

_VALUE_ROLES = ("tokens", "floats", "image", "audio")


@dataclass(frozen=True)
class Choice:
    """A template with its tensors, or a plain value, for one parameter.

    Attributes:
        template: what is passed: a slot, a container of slots, a size, or a plain value.
        arguments: the tensors that fill the slots.
        note: what was assumed, in words.
    """

    template: Any
    arguments: tuple[Argument, ...] = ()
    note: str = ""

    @classmethod
    def of_tensor(cls, argument: Argument, note: str = "") -> Choice:
        """The choice of one plain tensor."""
        return cls(Slot(argument.name), (argument,), note)


def combine_choices(
    choices: dict[str, list[Choice]], *, most: int, pad_token_id: int | None
) -> Iterator[InputPlan]:
    """Yield plans with one choice for each parameter, those nearest to the first choices first."""
    ranked = sorted(
        itertools.islice(itertools.product(*(range(len(c)) for c in choices.values())), 4096),
        key=lambda indices: (sum(indices), max(indices, default=0)),
    )
    for indices in ranked[:most]:
        chosen = [options[i] for options, i in zip(choices.values(), indices, strict=True)]
        plan = _make_plan(dict(zip(choices, chosen, strict=True)), pad_token_id)
        if plan is not None:
            yield plan


def _make_plan(chosen: dict[str, Choice], pad_token_id: int | None) -> InputPlan | None:
    arguments = tuple(argument for choice in chosen.values() for argument in choice.arguments)
    primary = _choose_primary(arguments)
    if primary is None:
        return None
    packed = {name: choice.template for name, choice in chosen.items() if choice.arguments}
    plain = all(template == Slot(name) for name, template in packed.items())
    return InputPlan(
        arguments=arguments,
        primary=primary.name,
        style="keyword",
        constants={name: choice.template for name, choice in chosen.items() if not choice.arguments},
        assumptions=tuple(dict.fromkeys(choice.note for choice in chosen.values() if choice.note)),
        pad_token_id=pad_token_id,
        layout={} if plain else packed,
    )


def _choose_primary(arguments: Sequence[Argument]) -> Argument | None:
    for argument in arguments:
        if argument.role in _VALUE_ROLES and len(argument.shape) > 1:
            return argument
    return next((a for a in arguments if a.role in _VALUE_ROLES), None)


def with_unequal_lengths(plan: InputPlan) -> InputPlan | None:
    """The same plan with a target of another length than the source; None where it has no target."""
    if not any(TARGET_LENGTH in argument.shape for argument in plan.arguments):
        return None
    return replace(plan, default_target_length=max(plan.default_length - 3, 1))

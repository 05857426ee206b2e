"""Make input plans of example calls; the sizes that an example was written for may differ from this model's."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import torch
from torch import nn

from tierproof.core.standing import Standing
from tierproof.model.call.forward_signature import ForwardSignature
from tierproof.model.call.input_plan import BATCH, LENGTH, TARGET_LENGTH, Argument, InputPlan
from tierproof.model.call.solve.choice import Choice, combine_choices
from tierproof.model.call.solve.example_calls import ExampleTensor, read_example_calls

_MOST_EXAMPLES = 4
_SMALL_SIDE = 32
_MASK_WORDS = ("mask",)


def propose_example_inputs(
    model: nn.Module,
    signature: ForwardSignature,
    *,
    dtype: torch.dtype,
    vocab_size: int | None,
    pad_token_id: int | None,
) -> Iterator[InputPlan]:
    """Propose the inputs of the model's own examples: what is required first, then all that the example passes.

    Large images are tried at a small side first: most models take any, and each check runs the model many times.
    """
    for example in read_example_calls(model, signature.names)[:_MOST_EXAMPLES]:
        if not set(signature.required) <= set(example):
            continue
        needed = signature.required or tuple(name for name in example if name in signature.names)[:1]
        for names in dict.fromkeys((needed, tuple(example))):
            lengths: list[int] = []
            choices: dict[str, list[Choice]] = {}
            for name in names:
                value = example[name]
                choices[name] = [Choice(value)]
                if isinstance(value, ExampleTensor):
                    argument = _make_argument(name, value, lengths, dtype, vocab_size)
                    choices[name] = [Choice.of_tensor(a) for a in (*_shrink(argument), argument)]
            yield from combine_choices(choices, most=2, pad_token_id=pad_token_id)


def _shrink(argument: Argument) -> tuple[Argument, ...]:
    sides = argument.shape[-2:]
    if (
        argument.role != "image"
        or len(set(sides)) != 1
        or not isinstance(sides[0], int)
        or sides[0] <= _SMALL_SIDE
    ):
        return ()
    return (replace(argument, shape=(*argument.shape[:-2], _SMALL_SIDE, _SMALL_SIDE)),)


def _make_argument(
    name: str, value: ExampleTensor, lengths: list[int], dtype: torch.dtype, vocab_size: int | None
) -> Argument:
    """An argument of an example: its first axis is the batch, its second the length where it is a sequence."""
    shape: list[str | int] = [BATCH, *value.shape[1:]] if value.shape else []
    rank = len(shape)
    masked = value.dtype == "bool" or any(word in name for word in _MASK_WORDS)
    if rank == 3 or (rank == 2 and (value.dtype == "int" or masked)):
        size = value.shape[1]
        if size not in lengths:
            lengths.append(size)
        shape[1] = LENGTH if size == lengths[0] else TARGET_LENGTH
    source = "an example call in the model's source or description"
    if masked:
        kind = torch.bool if value.dtype == "bool" else torch.int64
        return Argument(name, "mask", tuple(shape), kind, source=source)
    if value.dtype == "int":
        return Argument(
            name,
            "tokens",
            tuple(shape),
            torch.int64,
            high=vocab_size or 2,
            source=source,
            standing=Standing.DECLARED,
        )
    role = "image" if rank >= 4 else "floats"
    return Argument(name, role, tuple(shape), dtype, source=source, standing=Standing.DECLARED)

"""Which batch sizes and lengths T1-SHAPE tries, within what a few forward passes cost."""

from __future__ import annotations

from dataclasses import dataclass

from tierproof.model.compare.short_call import find_short_length
from tierproof.model.describe.subject import Subject

# About three forward passes of batch 2 × length 128, or two seconds for small models.
_BUDGET_TOKENS = 3 * 2 * 128
_BUDGET_S = 2.0
# The declared maximum finds the off-by-one in a position table, so it may cost more than everything else:
# GPT-2 at 1024 is 4 passes of 2 × 128. A maximum of 131,072 is not tried.
_MAXIMUM_TOKENS = 16 * 2 * 128
_MAXIMUM_S = 20.0
# Attention scores and logits of the longest case stay below the first, or below twice the parameters up to the second:
# length² grows faster than time does, and a forward pass holds several copies of them.
_SMALL_BYTES = 2**27
_MAXIMUM_BYTES = 2**30
_LENGTHS_WITHOUT_MAXIMUM = 128
_CONFIGURED_HEADS = ("num_attention_heads", "n_head", "num_heads", "encoder_attention_heads", "n_heads")


@dataclass(frozen=True)
class ShapeCase:
    """One size to try; `length` is None for models without a length axis."""

    batch: int
    length: int | None

    def __str__(self) -> str:
        return f"batch {self.batch}" if self.length is None else f"batch {self.batch} × length {self.length}"


def find_default(subject: Subject) -> ShapeCase:
    """The size of the default call."""
    inputs = subject.inputs
    return ShapeCase(inputs.default_batch, inputs.default_length if inputs.has_length else None)


def find_batch_length(subject: Subject) -> int | None:
    """The length at which batch sizes are tried: a short one where the default is much longer."""
    inputs = subject.inputs
    if not inputs.has_length:
        return None
    return find_short_length(inputs) or inputs.default_length


def list_batches(subject: Subject, length: int | None) -> list[ShapeCase]:
    """The batch sizes to try at one length; none where the model has no batch axis."""
    return [ShapeCase(batch, length) for batch in (1, 2, 3)] if subject.inputs.has_batch else []


def choose_cases(subject: Subject, forward_s: float) -> tuple[list[ShapeCase], list[tuple[ShapeCase, str]]]:
    """Choose sizes, most telling first.

    Args:
        subject: says what can be varied.
        forward_s: seconds that a forward of the default size takes.

    Returns:
        The cases to run, and those left out with the reason.
    """
    plan = subject.inputs
    default = plan.default_length if plan.has_length else None
    batches = list_batches(subject, find_batch_length(subject))
    if default is None:
        return batches, []
    token_s = forward_s / max(1, plan.default_batch * default)
    budget_s = max(_BUDGET_S, token_s * _BUDGET_TOKENS)
    chosen, untried = list(batches), []
    # As if the batches ran at the default length: what a short one saves is saved, not spent on more lengths.
    spent_s = token_s * 6 * default
    maximum = plan.max_length
    if maximum is not None:
        case = ShapeCase(1, maximum)
        refusal = _refuse(subject, maximum, token_s)
        if refusal:
            untried.append((case, refusal))
        else:
            chosen.append(case)
    for case in _list_length_cases(plan.min_length, maximum, default):
        cost_s = token_s * case.batch * (case.length or 0)
        if case in chosen:
            continue
        if spent_s + cost_s > budget_s or _refuse(subject, case.length or 0, token_s):
            untried.append((case, "the time limit of this check was reached"))
            continue
        spent_s += cost_s
        chosen.append(case)
    return chosen, untried


def _list_length_cases(minimum: int, maximum: int | None, default: int) -> list[ShapeCase]:
    limit = maximum if maximum is not None else max(_LENGTHS_WITHOUT_MAXIMUM, 2 * default)
    lengths = [minimum, minimum + 1, minimum + 2, 7, 13, default + 1, limit - 1]
    power = 4
    while power < limit:
        lengths.append(power)
        power *= 2
    allowed = [length for length in dict.fromkeys(lengths) if minimum <= length <= limit]
    cases = [ShapeCase(1, length) for length in allowed]
    cases.insert(1, ShapeCase(2, minimum))
    if 7 in allowed:
        cases.insert(2, ShapeCase(3, 7))
    return cases


def _refuse(subject: Subject, length: int, token_s: float) -> str:
    """Why a length is not worth its cost; empty when it is."""
    if token_s * length > _MAXIMUM_S and length > _MAXIMUM_TOKENS:
        return f"would take about {token_s * length:.0f} s"
    size = length * length * _count_heads(subject) * 4 + length * (subject.traits.vocab_size or 0) * 8
    parameters = sum(p.numel() * p.element_size() for p in subject.model.parameters())
    if size > min(_SMALL_BYTES + 2 * parameters, _MAXIMUM_BYTES):
        return f"may need {size / 2**30:.0f} GiB"
    return ""


def _count_heads(subject: Subject) -> int:
    config = getattr(subject.model, "config", None)
    for name in _CONFIGURED_HEADS:
        try:
            value = getattr(config, name, None)
        except RuntimeError:  # transformers refuses to name one number where the layers differ in it
            continue
        if isinstance(value, int) and value > 0:
            return value
    return 12


def excuse_maximum(subject: Subject, maximum: int) -> int | None:
    """The length that suffices for models whose positions begin after the padding id; None for others.

    A padding id of 0 excuses nothing: most models have it, and a table one row short would pass.
    """
    padding = subject.inputs.pad_token_id
    return maximum - padding - 1 if padding else None

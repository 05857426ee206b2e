"""Compare padded inputs with unpadded ones: on the right, on the left, and with a mask that hides nothing."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor, nn

from tierproof.checks.claim import claim_error
from tierproof.core.finding import Finding, Severity
from tierproof.core.json_value import JsonValue
from tierproof.core.standing import Standing
from tierproof.model.call.call import Call
from tierproof.model.call.forward_signature import read_signature
from tierproof.model.call.input_plan import LENGTH, Argument
from tierproof.model.call.propose.transformers_inputs import is_transformers_model
from tierproof.model.compare.comparison import measure_change
from tierproof.model.compare.locate import (
    TensorPairs,
    Violates,
    locate,
    locate_first_divergence,
    shared_prefix,
)
from tierproof.model.compare.steady_answer import Baseline
from tierproof.model.describe.basis import Basis
from tierproof.model.describe.subject import Subject

_POSITION_FREE = ("rotary", "relative", "none")


def make_mask(mask: Tensor, argument: Argument, hidden: tuple[int, ...]) -> Tensor:
    """The mask with `hidden` positions hidden in every row."""
    made = mask.clone()
    axis = argument.shape.index(LENGTH)
    index = torch.tensor(hidden, device=mask.device)
    return made.index_fill(axis, index, 0 if argument.role == "mask" else 1)


def judge_idle_mask(subject: Subject, seed: int) -> list[Finding]:
    """A mask that hides nothing must change nothing."""
    mask = subject.inputs.unsound_mask
    if mask is None:
        return []
    call = subject.make_call(seed=seed)
    tensor = mask.draw(_read_sizes(subject, call), torch.Generator())
    masked = call.with_argument(mask.name, tensor.to(subject.device))
    if call.style == "positional":
        masked = replace(masked, style="keyword")
    model = subject.model.eval()
    with torch.no_grad():
        torch.manual_seed(seed)
        alone = subject.answer(call).clone()
        torch.manual_seed(seed + 1)
        if measure_change(alone, subject.answer(call)) > 0:
            return []  # not repeatable, which is T1-STAB's finding
        torch.manual_seed(seed)
        change = measure_change(alone, subject.answer(masked))
    where = locate(model, call, masked, _differs_first, seed=seed)
    return [
        claim_error(
            "T1-PAD-005",
            f"A `{mask.name}` of ones hides nothing, but passing it changes the outputs by {change:.2g} standard "
            "deviations: the mask is inverted, is added to the scores as it is, or replaces another mask.",
            where,
            {"relative_change": change},
            f"Hide positions where `{mask.name}` is 0, and combine it with the causal mask instead of "
            "choosing one of them.",
            rests_on=(Basis.ROLES, Basis.PADDING_MASK),
        )
    ]


def _read_sizes(subject: Subject, call: Call) -> dict[str, int]:
    primary = subject.inputs.primary_argument
    return {
        size: call.tensors[primary.name].shape[axis]
        for axis, size in enumerate(primary.shape)
        if isinstance(size, str)
    }


def _differs_first(inputs: TensorPairs, outputs: TensorPairs) -> bool:
    """Whether features come in equal and go out different; masks may differ, that is what they are for."""
    features = [(a, b) for a, b in inputs if a.is_floating_point() and a.dim() <= 3]
    return all(measure_change(a, b) == 0 for a, b in features) and any(
        measure_change(a, b) > 1e-6 for a, b in outputs
    )


def check_right_padding(
    base: Baseline, mask: Argument, hidden_positions: int, length: int, *, exact: bool
) -> tuple[float | None, list[Finding]]:
    """Compare the last row, padded on the right, with the same row cut off there and unpadded.

    The other rows stay as they are, as in a batch of unequal lengths.
    """
    subject = base.answers.subject
    shorter = length - hidden_positions
    batch_axis = mask.shape.index("batch") if "batch" in mask.shape else None
    if batch_axis is None or shorter < max(subject.inputs.min_length, 2):
        return None, []
    tensor = base.call.tensors[mask.name]
    rows = tensor.shape[batch_axis]
    padded_mask = tensor.clone()
    last = padded_mask.select(batch_axis, rows - 1)
    last[shorter:] = 0 if mask.role == "mask" else 1
    padded = base.call.with_argument(mask.name, padded_mask)
    cut = cut_positions(base, 0, shorter)
    behind, alone = base.answers.attempt(padded), base.answers.attempt(cut)
    outputs = subject.outputs
    if behind is None or alone is None or outputs.batch_axis is None:
        return None, []
    behind = behind.select(outputs.batch_axis, rows - 1)
    alone = alone.select(outputs.batch_axis, rows - 1)
    if LENGTH in outputs.axes:
        axis = outputs.axes.index(LENGTH) - (outputs.batch_axis < outputs.axes.index(LENGTH))
        if behind.shape[axis] != length or alone.shape[axis] != shorter:
            return None, []
        behind = behind.narrow(axis, 0, shorter)
    if behind.shape != alone.shape or not bool(alone.isfinite().all()):
        return None, []
    change = measure_change(alone, behind)
    if change <= 10 * base.tolerance:
        return change, []
    where = locate_first_divergence(
        subject.model.eval(),
        padded,
        cut,
        _last_row_prefix(rows, length, shorter, base.tolerance),
        seed=base.answers.seed,
    )
    return change, [
        claim_error(
            "T1-PAD-006",
            f"A row padded on the right gives a different output from the same row alone, by {change:.2g} standard "
            "deviations: the amount of padding has an effect, or the row uses the mask of another row.",
            where,
            {
                "relative_change": change,
                "tolerance": 10 * base.tolerance,
                "padded_positions": hidden_positions,
            },
            "Apply each row's own mask, count positions from the row's first token, and divide sums over positions by "
            "the number of visible positions, not by the padded length.",
            rests_on=(Basis.ROLES, Basis.PADDING_MASK),
            at_most=Severity.ERROR if exact else Severity.WARNING,
        )
    ]


def _last_row_prefix(rows: int, length: int, shorter: int, tolerance: float) -> Violates:
    prefix = shared_prefix(length, shorter, lambda a, b: measure_change(a, b) > tolerance)

    def violates(a: Tensor, b: Tensor) -> bool:
        if not (a.dim() and b.dim() and a.shape[0] == rows == b.shape[0] and a.is_floating_point()):
            return False
        return prefix(a[rows - 1], b[rows - 1])

    return violates


def cut_positions(base: Baseline, start: int, count: int) -> Call:
    """The call with every argument that follows the length cut to `count` positions from `start` on."""
    cut = base.call
    for argument in base.answers.subject.inputs.arguments:
        if LENGTH in argument.shape and argument.name in cut.tensors:
            tensor = cut.tensors[argument.name]
            cut = cut.with_argument(argument.name, tensor.narrow(argument.shape.index(LENGTH), start, count))
    return cut


def check_left_padding(
    base: Baseline, mask: Argument, hidden_positions: int, length: int, measured: dict[str, JsonValue]
) -> list[Finding]:
    """Compare an input with the same input behind hidden positions."""
    subject = base.answers.subject
    if LENGTH not in subject.outputs.axes or subject.traits.recurrent or subject.traits.encoder_decoder:
        return []
    shorter = length - hidden_positions
    cut = cut_positions(base, hidden_positions, shorter)
    padded = base.call.with_argument(
        mask.name, make_mask(base.call.tensors[mask.name], mask, tuple(range(hidden_positions)))
    )
    alone, behind = base.answers.attempt(cut), base.answers.attempt(padded)
    axis = subject.outputs.axes.index(LENGTH)
    if alone is None or behind is None or alone.shape[axis] != shorter or behind.shape[axis] != length:
        return []
    change = measure_change(alone, behind.narrow(axis, hidden_positions, shorter))
    measured["left_padding_change"] = change
    if change <= 10 * base.tolerance:
        return []
    if subject.traits.positions not in _POSITION_FREE:
        return _judge_counted_padding(base, mask, padded, change)
    return [
        Finding(
            "T1-PAD-004",
            Severity.WARNING,
            f"Left padding changes the outputs by {change:.2g} standard deviations, although shifting all positions "
            f"should change nothing in a model with {subject.traits.positions} positions.",
            _locate_shift(base, padded, cut, length, hidden_positions),
            {
                "relative_change": change,
                "tolerance": 10 * base.tolerance,
                "padded_positions": hidden_positions,
            },
            "Apply the positions only to queries and keys, and the same positions to both, or count positions from "
            "the padding mask.",
        )
    ]


def _judge_counted_padding(base: Baseline, mask: Argument, padded: Call, change: float) -> list[Finding]:
    """Positions that count the padding, in a causal model.

    Padding behind a row never reaches the positions before it under a causal mask, so padding on the left is all that
    such a model needs a padding mask for. A model that takes positions leaves them to the caller.
    """
    model = base.answers.subject.model
    signature = read_signature(model)
    takes_positions = any("pos" in name.lower() for name in signature.names)
    seen = base.answers.subject.inputs.padding_standing > Standing.ASSUMED
    causal = base.answers.subject.traits.causal_measured
    if not seen or not causal or takes_positions or is_transformers_model(model):
        return []
    return [
        Finding(
            "T1-PAD-008",
            Severity.WARNING,
            f"Padding on the left shifts the positions: visible outputs change by {change:.2g} standard deviations, "
            f"although `{mask.name}` hides the padding. In a causal model, positions must be counted from the "
            "padding mask.",
            _locate_counting(base, padded),
            {"relative_change": change, "tolerance": 10 * base.tolerance},
            f"Count positions from the mask: `({mask.name}.cumsum(-1) - "
            f"1).clamp(min=0)`{'' if mask.role == 'mask' else ', with the mask inverted'}, or let the caller pass "
            "`position_ids`.",
        )
    ]


def _locate_counting(base: Baseline, padded: Call) -> str:
    """The embedding that is looked up at consecutive positions, hidden ones among them."""
    model = base.answers.subject.model
    found: list[str] = []

    def make_hook(path: str) -> Callable[[nn.Module, tuple[Any, ...]], None]:
        def see(_module: nn.Module, arguments: tuple[Any, ...]) -> None:
            index = arguments[0] if arguments else None
            if isinstance(index, Tensor) and index.dim() and index.shape[-1] > 1:
                row = index.reshape(-1, index.shape[-1])[0]
                if bool((row[1:] - row[:-1] == 1).all()):
                    found.append(path)

        return see

    tables = [(path, part) for path, part in model.named_modules() if isinstance(part, nn.Embedding)]
    handles = [part.register_forward_pre_hook(make_hook(path)) for path, part in tables]
    try:
        base.answers.attempt(padded)
    finally:
        for handle in handles:
            handle.remove()
    return found[0] if found else ""


def _locate_shift(base: Baseline, padded: Call, cut: Call, length: int, hidden_positions: int) -> str:
    """The innermost module whose features come in as a shift of each other and do not go out so.

    Rotations and masks follow the absolute positions, so only features (batch, length, width) are compared.
    """
    shorter = length - hidden_positions
    tolerance = base.tolerance

    def is_shifted(a: Tensor, b: Tensor) -> bool | None:
        if a.dim() != 3 or b.dim() != 3 or a.shape[1] != length or b.shape[1] != shorter:
            return None
        return measure_change(b, a.narrow(1, hidden_positions, shorter)) <= tolerance

    def breaks(inputs: TensorPairs, outputs: TensorPairs) -> bool:
        before = [kept for a, b in inputs if (kept := is_shifted(a, b)) is not None]
        after = [kept for a, b in outputs if (kept := is_shifted(a, b)) is not None]
        return bool(before) and all(before) and not all(after)

    return locate(base.answers.subject.model.eval(), padded, cut, breaks, seed=base.answers.seed)

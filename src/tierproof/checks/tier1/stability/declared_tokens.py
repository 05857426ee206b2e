"""Try the ids that a model itself declares: padding behind a sequence, and what its decoder begins with."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import torch
from torch import Tensor

from tierproof.checks.check import CheckContext
from tierproof.checks.claim import Ground, claim_error
from tierproof.core.finding import Finding
from tierproof.core.standing import Fact, Standing
from tierproof.model.call.call import Call
from tierproof.model.call.extra_arguments import find_target_name
from tierproof.model.call.forward_signature import read_signature
from tierproof.model.call.input_plan import LENGTH, TARGET_LENGTH, Argument
from tierproof.model.describe.basis import Basis
from tierproof.model.describe.subject import Subject
from tierproof.model.observe.module_watch import find_first, watch_modules
from tierproof.model.sizes.value_range import measure_range

CODE = "T1-STAB"
_PADDED = 2


def judge_declared_tokens(context: CheckContext) -> list[Finding]:
    """Judge NaN from padding behind the last row, from the decoder's start, and from targets alone."""
    subject = context.subject
    if subject.inputs.primary_argument.sample is not None or not subject.outputs.per_position:
        return []
    call = subject.make_call(batch=max(2, subject.inputs.default_batch), seed=context.seed)
    return [*_judge_padding(subject, call), *(_judge_start(subject, call) or _judge_own_start(subject, call))]


def _judge_padding(subject: Subject, call: Call) -> list[Finding]:
    """A row that ends in the declared padding: its other positions, and the other rows, must be finite."""
    inputs, outputs = subject.inputs, subject.outputs
    primary = inputs.primary_argument
    pad, by = _find_padding(subject)
    follows = LENGTH in outputs.axes and outputs.batch_axis is not None and primary.role == "tokens"
    if pad is None or not follows or primary.shape[:2] not in (("batch", LENGTH), (LENGTH, "batch")):
        return []
    ids = call.tensors[primary.name]
    length = ids.shape[inputs.length_axis]
    if length <= 2 * _PADDED:
        return []
    padded = call.with_argument(primary.name, _fill_end(ids, primary, pad))
    if inputs.padding:
        mask = inputs.argument(inputs.padding)
        if mask.role not in ("mask", "hide_mask") or mask.shape not in (primary.shape, primary.shape[::-1]):
            return []
        hidden = _fill_end(call.tensors[mask.name], mask, 0 if mask.role == "mask" else 1)
        padded = padded.with_argument(mask.name, hidden)
    answer = _answer(subject, padded)
    if answer is None or answer.shape[outputs.axes.index(LENGTH)] != length or outputs.batch_axis is None:
        return []
    visible = answer.narrow(outputs.axes.index(LENGTH), 0, length - _PADDED)
    values = measure_range([visible])
    if values.sound:
        return []
    grounds: list[Ground] = [Fact("padding id", Standing.DECLARED, f"{pad}, by {by}"), Basis.ROLES]
    if inputs.padding:
        grounds.append(Basis.PADDING_MASK)
    return [
        claim_error(
            f"{CODE}-018",
            f"If {_PADDED} positions of padding (id {pad}) follow {length - _PADDED} tokens, the outputs at other "
            f"positions contain {values.nan} NaN and {values.positive_infinity} Inf.",
            _locate(subject, padded),
            {"padding_id": pad, "nan": values.nan, "infinite": values.positive_infinity},
            "Add an epsilon to the normalisation: the embedding of the padding id is zero, and dividing by its norm "
            "gives NaN. An attention weight of zero does not remove a NaN.",
            rests_on=(grounds[0], *grounds[1:]),
        )
    ]


def _find_padding(subject: Subject) -> tuple[int | None, str]:
    """The declared padding id, and what declares it."""
    primary = subject.inputs.primary_argument
    config: Any = getattr(subject.model, "config", None)
    named = getattr(config, "pad_token_id", None)
    for pad, by in (
        (subject.inputs.pad_token_id, "the spec, the config or `padding_idx`"),
        (named, "the config"),
    ):
        if isinstance(pad, int) and not isinstance(pad, bool) and 0 <= pad < primary.high:
            return pad, by
    return None, ""


def _fill_end(tensor: Tensor, argument: Argument, value: int) -> Tensor:
    """The tensor with the last positions of its last row filled."""
    filled = tensor.clone()
    batch, length = argument.shape.index("batch"), argument.shape.index(LENGTH)
    last = filled.narrow(batch, tensor.shape[batch] - 1, 1)
    last.narrow(length, tensor.shape[length] - _PADDED, _PADDED).fill_(value)
    return filled


def _find_decoder(subject: Subject) -> Argument | None:
    followers = (
        a
        for a in subject.inputs.arguments
        if a.role == "tokens" and a.shape == ("batch", TARGET_LENGTH) and a.sample is None
    )
    return next(followers, None) if TARGET_LENGTH in subject.outputs.axes else None


def _judge_start(subject: Subject, call: Call) -> list[Finding]:
    """The decoder's tokens begin with the id that the config declares."""
    decoder = _find_decoder(subject)
    start = getattr(getattr(subject.model, "config", None), "decoder_start_token_id", None)
    if decoder is None or not isinstance(start, int) or not 0 <= start < decoder.high:
        return []
    begun = call.tensors[decoder.name].clone()
    begun[:, 0] = start
    started = call.with_argument(decoder.name, begun)
    return _report(
        subject,
        started,
        f"If `{decoder.name}` begins with the declared start token ({start})",
        Fact("start of the decoder", Standing.DECLARED, f"{start}, by config.decoder_start_token_id"),
    )


def _judge_own_start(subject: Subject, call: Call) -> list[Finding]:
    """Without the decoder's tokens the model makes them of its targets."""
    decoder, signature = _find_decoder(subject), read_signature(subject.model)
    targets = find_target_name(signature.optional)
    if (
        decoder is None
        or targets is None
        or decoder.name not in signature.optional
        or call.style != "keyword"
    ):
        return []
    arguments = {name: value for name, value in call.arguments.items() if name != decoder.name}
    arguments[targets] = call.tensors[decoder.name]
    return _report(
        subject,
        replace(call, arguments=arguments),
        f"If only `{targets}` is passed, so that the model derives `{decoder.name}` from it",
        Fact("decoder's tokens", Standing.DECLARED, f"`{decoder.name}` is optional"),
    )


def _report(subject: Subject, call: Call, condition: str, fact: Fact) -> list[Finding]:
    answer = _answer(subject, call)
    if answer is None:
        return []
    values = measure_range([answer])
    if values.sound:
        return []
    return [
        claim_error(
            f"{CODE}-019",
            f"{condition}, the output contains {values.nan} NaN and {values.positive_infinity} Inf.",
            _locate(subject, call),
            {"nan": values.nan, "infinite": values.positive_infinity},
            "Do not hide the first position of the decoder, even if its id is the padding id: if every position of "
            "a row is masked, its softmax is NaN.",
            rests_on=(fact, Basis.ROLES),
        )
    ]


def _answer(subject: Subject, call: Call) -> Tensor | None:
    try:
        with torch.no_grad():
            return subject.answer(call)
    except Exception:  # noqa: BLE001 - an optional way of calling that this model does not offer
        return None


def _locate(subject: Subject, call: Call) -> str:
    with watch_modules(subject.model, measure_range) as observations:
        subject.forward(call)
    first = find_first(observations, lambda values: values.sound, lambda values: not values.sound)
    return first.path if first is not None else ""

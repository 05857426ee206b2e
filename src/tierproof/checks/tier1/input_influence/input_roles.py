"""Parts of an input that carry a meaning of their own: segments, channels, and the order of the tokens."""

from __future__ import annotations

from dataclasses import replace

import torch
from torch import Tensor, nn

from tierproof.checks.claim import claim_error
from tierproof.core.finding import Finding, Severity
from tierproof.core.json_value import JsonValue
from tierproof.model.call.forward_signature import read_signature
from tierproof.model.call.input_plan import LENGTH, Argument
from tierproof.model.call.propose.transformers_inputs import is_transformers_model
from tierproof.model.compare.comparison import measure_change
from tierproof.model.compare.steady_answer import Baseline
from tierproof.model.describe.basis import Basis

_SEGMENT_NAMES = ("token_type_ids", "segment_ids", "segments", "type_ids")


def judge_segments(base: Baseline) -> list[Finding]:
    """Find segment ids that do not affect the output although there is a table for them."""
    subject = base.answers.subject
    primary = subject.inputs.primary_argument
    signature = read_signature(subject.model)
    name = next((n for n in _SEGMENT_NAMES if n in signature), None)
    if name is None or primary.role != "tokens" or subject.inputs.style == "mapping":
        return []
    table = _find_segment_table(subject.model)
    if table is None:
        return []
    ids = torch.zeros_like(base.call.tensors[primary.name])
    ids[..., ids.shape[-1] // 2 :] = 1
    zeros, ones = (
        base.answers.attempt(replace(base.call.with_argument(name, value), style="keyword"))
        for value in (torch.zeros_like(ids), ids)
    )
    if zeros is None or ones is None or measure_change(zeros, ones) > 0:
        return []
    return [
        Finding(
            "T1-INPUT-003",
            Severity.WARNING,
            f"`{name}` has no effect on the output, although the table `{table[0]}` has {table[1].num_embeddings} "
            "rows for it.",
            table[0],
            {"argument": name, "rows": table[1].num_embeddings, "largest_change": 0.0},
            f"Look up `{name}` in `{table[0]}`, not a constant in its place.",
        )
    ]


def _find_segment_table(model: nn.Module) -> tuple[str, nn.Embedding] | None:
    """The table that is called for segments, else the only one of two to four rows."""
    tables = [(path, m) for path, m in model.named_modules() if isinstance(m, nn.Embedding)]
    for path, table in tables:
        if 2 <= table.num_embeddings <= 16 and any(word in path.lower() for word in ("segment", "type")):
            return path, table
    small = [(path, table) for path, table in tables if 2 <= table.num_embeddings <= 4]
    return small[0] if len(small) == 1 else None


def find_dead_channels(gradient: Tensor | None, argument: Argument, tensor: Tensor) -> list[int]:
    """Channels of an image by whose values the answer has no gradient anywhere; the caller confirms them."""
    if gradient is None or argument.role != "image" or tensor.dim() < 4:
        return []
    axis = tensor.dim() - 3
    if not 2 <= tensor.shape[axis] <= 16:
        return []
    return [c for c in range(tensor.shape[axis]) if not bool(gradient.select(axis, c).any())]


def report_dead_channels(argument: Argument, channels: list[int], where: str) -> Finding:
    """The finding for channels without influence."""
    return claim_error(
        "T1-INPUT-002",
        f"Part of the input is lost: replacing channel(s) {', '.join(map(str, channels))} of `{argument.name}` changes "
        "no output.",
        where,
        {"argument": argument.name, "without_influence": list(channels), "largest_change": 0.0},
        "Use all channels: remove a slice over the channels, or a conversion to grey that keeps only one.",
        rests_on=Basis.INPUTS,
    )


def judge_order(base: Baseline, measured: dict[str, JsonValue]) -> list[Finding]:
    """Find models without positions: reordering the tokens only reorders their outputs."""
    subject = base.answers.subject
    traits, outputs = subject.traits, subject.outputs
    primary = subject.inputs.primary_argument
    # A pooled answer may be meant for a bag of words; one answer for each token is not.
    bidirectional = traits.kind == "encoder" and traits.causal_measured is not True and outputs.per_position
    if not bidirectional or primary.role != "tokens" or LENGTH not in primary.shape or traits.recurrent:
        return []
    axis = subject.inputs.length_axis
    tensor = base.call.tensors[primary.name]
    order = torch.randperm(tensor.shape[axis], generator=torch.Generator().manual_seed(base.answers.seed))
    reordered = base.answers.attempt(
        base.call.with_argument(primary.name, tensor.index_select(axis, order.to(tensor.device)))
    )
    if reordered is None:
        return []
    expected = base.answer
    where = outputs.length_axis
    if expected.shape[where] != len(order):
        return []
    expected = expected.index_select(where, order.to(expected.device))
    change = measure_change(expected, reordered)
    measured["change_from_reordering"] = change
    if change > base.tolerance or is_transformers_model(subject.model):
        return []
    table = _find_position_table(subject.model)
    return [
        Finding(
            "T1-INPUT-004",
            # A set model is a design; one that keeps a table of positions is not.
            Severity.INFO if table is None else Severity.WARNING,
            "The order of the tokens has no effect: if they are reordered, each token keeps its output"
            + (f", although the model has the position table `{table}`." if table else "."),
            table or "",
            {"largest_change": change, "tolerance": base.tolerance, "tokens": len(order)},
            "Add a position to each token: read the table at `torch.arange(length)` and add its rows to the "
            "embeddings.",
        )
    ]


def _find_position_table(model: nn.Module) -> str | None:
    """The path of a table that by its name holds positions; of the module around it for a bare tensor."""
    for path, module in model.named_modules():
        if isinstance(module, nn.Embedding) and "pos" in path.lower():
            return str(path)
    for path, tensor in (*model.named_parameters(), *model.named_buffers()):
        name = path.rpartition(".")[2].lower()
        if tensor.dim() >= 2 and tensor.is_floating_point() and (name == "pe" or "pos" in name):
            return str(path.rpartition(".")[0])
    return None

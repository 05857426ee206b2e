"""T1-ROPE: rotary positions depend on distance alone, and the order of tokens has an effect.

What it does: runs a sequence that repeats one token. Where the embedding adds no positions, all positions then hold the
same vector in every layer, so that queries and keys differ by their rotation only. The scores must depend on the
distance between two positions, and the values must be equal. Then it exchanges earlier tokens and checks whether the
last output changes.

Why it matters: a rotation of the queries alone, or two different rotations, makes scores depend on absolute positions;
left padding and longer texts then change what is read. A rotation by a table that is indexed wrongly, or that holds
garbage, leaves the model without any order.

Evidence: how much queries, keys, values and scores vary along the sequence and along equal distances, relative to their
size, and the change of the last output.

Exemptions: vectors whose length varies with the position (xPos, scaled queries) are not rotated vectors. Layers whose
input varies with the position (learned tables, layers after a faulty one) are not judged, nor images, nor the inside
of `nn.MultiheadAttention`. Values may be rotated where the config says `rotary_value`. A model that computes no
position (a set transformer) may ignore the order.

Findings:
    T1-ROPE-001 error: only queries or only keys are rotated.
    T1-ROPE-002 error: queries and keys are rotated in different ways.
    T1-ROPE-003 warning: values are rotated.
    T1-ROPE-004 warning: the order of earlier tokens has no effect, although the model computes positions.
    T1-ROPE-005 warning: attention looks both ways and distinguishes distances to earlier positions, but gives all later
        positions the same relative position.

Source: Su et al. 2021 (arXiv 2104.09864), section 3.2: the product of rotated queries and keys depends on their
distance only; Raffel et al. 2020 for buckets of relative positions.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from tierproof.checks.check import Check, CheckContext, CheckOutput
from tierproof.checks.claim import claim_error
from tierproof.core.finding import Finding, Severity
from tierproof.core.json_value import JsonValue
from tierproof.model.call.input_plan import LENGTH, Argument
from tierproof.model.compare.comparison import measure_change
from tierproof.model.compare.steady_answer import Baseline, find_baseline
from tierproof.model.describe.basis import Basis
from tierproof.model.observe.execution_trace import ExecutionTrace
from tierproof.model.observe.operand_capture import (
    AttentionOperands,
    OperandCapture,
    measure_variation,
)

# What float32 leaves of vectors that are equal, after a few layers.
_EQUAL = 1e-4
# A rotation by one position moves a vector by far more.
_TURNED = 1e-2
# In float64, the order in which equal terms are summed changes the answer by less.
_BLIND = 1e-9
_SHORTEST = 6


@dataclass(frozen=True)
class _Turning:
    """How queries, keys, values and scores of one attention vary while all positions hold the same vector."""

    path: str
    queries: float
    keys: float
    values: float
    scores: float

    @property
    def one_sided(self) -> bool:
        """Whether exactly one of queries and keys is rotated."""
        low, high = sorted((self.queries, self.keys))
        return low <= _EQUAL and high >= _TURNED

    @property
    def both(self) -> bool:
        """Whether queries and keys are rotated."""
        return min(self.queries, self.keys) >= _TURNED


def run(context: CheckContext) -> CheckOutput:
    """Run the check."""
    subject = context.subject
    tokens = subject.inputs.primary_argument
    if tokens.role != "tokens" or tokens.sample is not None or LENGTH not in tokens.shape:
        return CheckOutput(skipped="the check applies only to sequences of tokens")
    base = find_baseline(subject, context.seed, batch=1)
    if isinstance(base, str):
        return CheckOutput(skipped=base)
    length = base.call.tensors[tokens.name].shape[tokens.shape.index(LENGTH)]
    ids = [token for token in range(tokens.low, tokens.high) if token not in tokens.avoid]
    if length < _SHORTEST or len(ids) < 2:
        return CheckOutput(skipped="the sequences or the vocabulary are too small to tell positions apart")
    # Two tokens, so that what one of them means to the model (a separator) is no evidence.
    captures = [_capture(base, tokens, ids[place]) for place in (len(ids) // 3, 2 * len(ids) // 3)]
    turnings = [_measure(capture, length) for capture in captures]
    measured: dict[str, JsonValue] = {
        "attentions": [
            {"where": t.path, "queries": t.queries, "keys": t.keys, "values": t.values, "scores": t.scores}
            for t in turnings[0][:50]
        ]
    }
    findings = _judge(turnings, rotates_values=bool(getattr(_config(base), "rotary_value", False)))
    if not findings:
        findings = _judge_ahead(captures[0], length)
    if not findings:
        findings = _judge_order(base, tokens, captures[0], measured)
    return CheckOutput(tuple(findings), measured)


def _config(base: Baseline) -> object:
    return getattr(base.answers.subject.model, "config", None)


def _capture(base: Baseline, tokens: Argument, token: int) -> OperandCapture:
    model = base.answers.subject.model
    call = base.call.with_argument(tokens.name, torch.full_like(base.call.tensors[tokens.name], token))
    with ExecutionTrace(model) as trace:
        capture = OperandCapture(trace, model)
        with capture:
            base.answers.forward(call)
    return capture


def _measure(capture: OperandCapture, length: int) -> list[_Turning]:
    """Self-attentions whose projections were given the same vector at every position."""
    found = []
    for item in capture.found:
        if item.queries.shape[-2] != length or item.keys.shape[-2] != length or not _is_still(item, length):
            continue
        keys = item.keys
        if keys.shape[:-2] != item.queries.shape[:-2] or keys.shape[-1] != item.queries.shape[-1]:
            continue
        values = item.values
        turned = _measure_rotation(values) if values is not None and values.shape[-2] == length else 0.0
        found.append(
            _Turning(
                item.path,
                _measure_rotation(item.queries),
                _measure_rotation(keys),
                turned,
                _measure_distances(item.queries.double(), keys.double()),
            )
        )
    return found


def _is_still(item: AttentionOperands, length: int) -> bool:
    given = item.projected
    if given is None or not given.is_floating_point():
        return False
    axes = [axis for axis, size in enumerate(given.shape) if size == length]
    return len(axes) == 1 and measure_variation(given, axes[0]) <= _EQUAL


def _measure_rotation(vectors: Tensor) -> float:
    """How far vectors turn along the positions; 0 where their lengths change, which a rotation does not do."""
    lengths = vectors.double().norm(dim=-1)
    if not bool(lengths.isfinite().all()) or measure_variation(lengths, -1) > _EQUAL:
        return 0.0
    return measure_variation(vectors, -2)


def _measure_distances(queries: Tensor, keys: Tensor) -> float:
    """How far scores at equal distances differ, relative to the product of the vectors' lengths."""
    scores = queries @ keys.transpose(-1, -2)
    size = float(queries.norm(dim=-1).mean() * keys.norm(dim=-1).mean())
    apart = (scores[..., 1:, 1:] - scores[..., :-1, :-1]).abs().max()
    return float(apart) / max(size, torch.finfo(torch.float32).tiny)


def _judge(turnings: list[list[_Turning]], *, rotates_values: bool) -> list[Finding]:
    """The first attention that is at fault with both tokens."""
    for first, second in zip(*turnings, strict=False):
        evidence: dict[str, JsonValue] = {
            "queries_vary": first.queries,
            "keys_vary": first.keys,
            "values_vary": first.values,
            "equal_distances_differ": first.scores,
        }
        if first.one_sided and second.one_sided:
            turned, still = ("queries", "keys") if first.queries > first.keys else ("keys", "queries")
            return [
                claim_error(
                    "T1-ROPE-001",
                    f"The {turned} are rotated by their positions and the {still} are not, so the scores depend on "
                    "absolute positions.",
                    first.path,
                    evidence,
                    "Rotate queries and keys by the same angles before their product.",
                    rests_on=Basis.INPUTS,
                    at_most=Severity.WARNING,
                )
            ]
        if first.both and second.both and min(first.scores, second.scores) > _TURNED:
            return [
                claim_error(
                    "T1-ROPE-002",
                    "Queries and keys are rotated in different ways: scores at equal distances differ by "
                    f"{first.scores:.2g} of their size, although all tokens are the same.",
                    first.path,
                    evidence,
                    "Rotate queries and keys alike: one layout (half-split or interleaved), one theta and the "
                    "same positions.",
                    rests_on=Basis.INPUTS,
                    at_most=Severity.WARNING,
                )
            ]
        if first.both and min(first.values, second.values) >= _TURNED and not rotates_values:
            return [
                Finding(
                    "T1-ROPE-003",
                    Severity.WARNING,
                    "Attention rotates the values by their positions, as it rotates queries and keys, so the output "
                    "depends on absolute positions.",
                    first.path,
                    evidence,
                    "Rotate queries and keys only.",
                )
            ]
    return []


def _judge_ahead(capture: OperandCapture, length: int) -> list[Finding]:
    """Scores of equal tokens that tell distances behind apart, but give all positions ahead the same."""
    for path, scores in capture.softened:
        if scores.shape[-1] != length or scores.shape[-2] != length or not bool(scores.isfinite().all()):
            continue
        values = scores.double()
        hidden = values < -1e3
        size = float(values.std())
        if bool(hidden.any()) or size == 0:
            continue
        # A class token in front may see all distances as one, so the row behind it counts as well.
        ahead = max(
            float((values[..., row, row + 1 :] - values[..., row, row + 1 : row + 2]).abs().max()) / size
            for row in (0, 1)
        )
        behind = float((values[..., -1, :-1] - values[..., -1, :1]).abs().max()) / size
        if ahead <= _EQUAL and behind > _TURNED:
            return [
                Finding(
                    "T1-ROPE-005",
                    Severity.WARNING,
                    "Attention is bidirectional and distinguishes distances to earlier positions, but gives all later "
                    "positions the same relative position.",
                    path,
                    {"spread_ahead": ahead, "spread_behind": behind},
                    "In an encoder, use buckets of relative positions for both directions; one-sided buckets are for "
                    "decoders.",
                )
            ]
    return []


def _judge_order(
    base: Baseline, tokens: Argument, capture: OperandCapture, measured: dict[str, JsonValue]
) -> list[Finding]:
    """Exchange earlier tokens where the forward pass computes positions."""
    evidence = _find_positions(base, capture)
    if not evidence:
        return []
    wide = base.in_double()
    if wide is None:
        return []
    given = base.call.tensors[tokens.name]
    axis = tokens.shape.index(LENGTH)
    size = given.shape[axis]
    order = torch.tensor([*reversed(range(size - 1)), size - 1], device=given.device)
    permuted = _read_last(wide, base.call.with_argument(tokens.name, given.index_select(axis, order)))
    shifted = given.roll(1, dims=axis)
    shifted.select(axis, size - 1).copy_(given.select(axis, size - 1))
    replaced = _read_last(wide, base.call.with_argument(tokens.name, shifted))
    last = _read_last(wide, base.call)
    if permuted is None or replaced is None or last is None:
        return []
    change, influence = measure_change(last, permuted), measure_change(last, replaced)
    measured |= {"order_change": change, "earlier_tokens_change": influence}
    if change > _BLIND or influence <= 1e3 * _BLIND:
        return []
    return [
        Finding(
            "T1-ROPE-004",
            Severity.WARNING,
            "The order of the earlier tokens has no effect on the last output, although the model computes positions "
            f"({evidence}).",
            "",
            {"order_change": change, "earlier_tokens_change": influence},
            "Index the position table by the position of each token (`table[:length]`), not by the head or by one "
            "fixed position. Check that the table still has its values after the checkpoint is loaded.",
        )
    ]


def _read_last(base: Baseline, call: object) -> Tensor | None:
    subject = base.answers.subject
    answer = base.answers.attempt(call)  # type: ignore[arg-type]
    if answer is None or LENGTH not in subject.outputs.axes:
        return answer
    return answer.select(subject.outputs.axes.index(LENGTH), -1)


def _find_positions(base: Baseline, capture: OperandCapture) -> str:
    """What shows that the forward pass computes positions, in words."""
    functions = sorted({"cos", "sin"} & capture.operations)
    if functions:
        return f"it calls {' and '.join(functions)}"
    model = base.answers.subject.model
    for name, buffer in model.named_buffers():
        if id(buffer) in capture.buffers_used and buffer.dim() >= 2 and _is_table(buffer):
            return f"it reads the table `{name}`"
    return ""


def _is_table(buffer: Tensor) -> bool:
    """Whether a buffer holds waves: many values, none beyond one in size, no mask of zeros and ones."""
    values = buffer.detach().double()
    waves = bool(values.isfinite().all()) and float(values.abs().max()) <= 1.0 + 1e-3
    return waves and not bool(((values == 0) | (values == 1)).all()) and min(buffer.shape[-2:]) > 1


CHECK = Check(
    "T1-ROPE",
    "relative positions",
    1,
    run,
    needs=("parameter values", "unquantised layers"),
    cost_steps=0.4,
    value=60,
)

"""T1-CAUSAL: no output depends on a later input, and a longer input leaves earlier outputs as they were.

What it does: replaces the token at several positions t and compares the outputs before t; then cuts the
input and compares the answers to the prefix with the prefix of the answers.

Why it matters: a leak makes the training loss look wonderful and the generated text worthless; positions
that are counted from the end, or depend on the length, make generation differ from training.

Evidence: the influence map (which input moves which output), the largest change relative to the outputs'
spread, and what moved at the guilty module.

Exemptions: models declared bidirectional; answers without positions; families whose published design looks
ahead (`_LOOK_AHEAD`). Encoders of transformers used as language models with `is_decoder=False` are only told
so. Expert models drop tokens by capacity, so their prefix rule only warns; sequence models of floats may scale
positions with the length, so theirs only warns too. Dynamic RoPE scaling acts beyond the original maximum
length, and the lengths here are short.

Findings:
    T1-CAUSAL-001 error: the model is declared causal, and outputs depend on later inputs.
    T1-CAUSAL-002 error or warning: nothing is declared, and the model is causal in part only: it looks
        ahead by a few, or the mask is transposed.
    T1-CAUSAL-003 error or warning: outputs change when the input is cut after them: positions counted
        from the end, or a scale by the length.
    T1-CAUSAL-004 warning: a decoder that gives token logits sees its whole target.
    T1-CAUSAL-005 info: a causal head whose config says is_decoder=False: it attends both ways until the
        config says otherwise.

Source: the property is exact for any masked or recurrent model (Vaswani et al. 2017, section 3.2.3).
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from tierproof.checks.check import Check, CheckContext, CheckOutput
from tierproof.checks.measurements.position_influence import PositionInfluence
from tierproof.core.finding import Finding, Severity
from tierproof.core.json_value import JsonValue
from tierproof.model.call.call import Call
from tierproof.model.call.influence import InfluenceMap
from tierproof.model.call.inputs import Argument
from tierproof.model.call.perturb import find_followed_argument, replace_position
from tierproof.model.call.transformers_inputs import is_transformers_model
from tierproof.model.compare.comparison import measure_change, measure_change_along
from tierproof.model.compare.locate import all_positions_before, locate_first_divergence, shared_prefix
from tierproof.model.compare.steady_answer import Baseline, find_baseline
from tierproof.model.describe.subject import Subject

# At a module, equal shapes give equal bits on the CPU; a GPU may choose another kernel for the last digits.
_LOCAL_TOLERANCE = 1e-6
# Permutation and span models: "causal" by their transformers class, bidirectional by their papers.
_LOOK_AHEAD = frozenset({"xlm", "xlnet", "cpmant", "flaubert", "prophetnet", "xlm-prophetnet"})


@dataclass(frozen=True)
class _Leak:
    """Outputs before `position` that moved when the input at `position` was replaced."""

    position: int
    changes: tuple[float, ...]
    tolerance: float

    @property
    def moved_before(self) -> list[int]:
        return [i for i in range(self.position) if self.changes[i] > self.tolerance]

    @property
    def moved_after(self) -> list[int]:
        return [i for i in range(self.position + 1, len(self.changes)) if self.changes[i] > self.tolerance]

    @property
    def size(self) -> float:
        return max(self.changes[: self.position], default=0.0)

    @property
    def is_faint(self) -> bool:
        """Whether earlier outputs move far less than later ones do."""
        return 0 < self.size < 1e-2 * max(self.changes[self.position + 1 :], default=0.0)


def run(context: CheckContext) -> CheckOutput:
    """Run the check."""
    subject = context.subject
    influence = subject.traits.influence
    measured = PositionInfluence(tuple(tuple(int(moved) for moved in row) for row in influence))
    reason = _find_exemption(subject)
    if reason:
        return CheckOutput(measurements=measured, skipped=reason)
    followed = find_followed_argument(subject.inputs.arguments, subject.outputs)
    if followed is None:
        return CheckOutput(
            measurements=measured, skipped="no input position corresponds to an output position"
        )
    base = find_baseline(subject, context.seed, batch=1)
    if isinstance(base, str):
        return CheckOutput(measurements=measured, skipped=base)
    axis = subject.outputs.length_axis
    length = base.call.tensors[followed.name].shape[_axis_of(followed, subject)]
    if base.answer.shape[axis] != length or length < 3:
        return CheckOutput(measurements=measured, skipped="outputs and inputs differ in length")

    leaks = [_perturb(base, followed, position) for position in _choose_positions(length)]
    found: dict[str, JsonValue] = {
        "positions_tried": len(leaks),
        "largest_leak": max(leak.size for leak in leaks),
    }
    measured = replace(measured, leak=found)
    worst = max(leaks, key=lambda leak: leak.size)
    if worst.size > base.tolerance:
        finding = _judge_leak(base, followed, leaks, worst)
        if finding is None:
            return CheckOutput(
                measurements=measured,
                skipped="outputs depend on later inputs, and nothing declares it causal",
            )
        return CheckOutput((finding,), measured)
    change, finding = _check_prefix(base, followed, length)
    if change is not None:
        measured = replace(measured, leak={**found, "prefix_change": change})
    return CheckOutput((finding,) if finding else (), measured)


def _find_exemption(subject: Subject) -> str:
    traits = subject.traits
    if not subject.outputs.per_position:
        return "the answer has no positions"
    if traits.causal_declared is False:
        return "the model is declared bidirectional"
    model_type = str(getattr(getattr(subject.model, "config", None), "model_type", ""))
    if model_type in _LOOK_AHEAD:
        return f"{model_type} looks ahead by design"
    return ""


def _axis_of(argument: Argument, subject: Subject) -> int:
    return argument.shape.index(subject.outputs.axes[subject.outputs.length_axis])


def _choose_positions(length: int) -> tuple[int, ...]:
    return tuple(dict.fromkeys((length - 1, length // 2, 1)))


def _perturb(base: Baseline, followed: Argument, position: int) -> _Leak:
    subject = base.answers.subject
    moved = base.answers(_change_position(base, followed, position))
    changes = measure_change_along(base.answer, moved, subject.outputs.length_axis)
    return _Leak(position, tuple(changes), base.tolerance)


def _change_position(base: Baseline, followed: Argument, position: int) -> Call:
    tensor = base.call.tensors[followed.name]
    axis = _axis_of(followed, base.answers.subject)
    changed = replace_position(followed, tensor, axis, position, seed=base.answers.seed + 1)
    return base.call.with_argument(followed.name, changed)


def _judge_leak(base: Baseline, followed: Argument, leaks: list[_Leak], worst: _Leak) -> Finding | None:
    subject = base.answers.subject
    telling = next(
        (leak for leak in leaks if leak.moved_before and leak.position < len(leak.changes) - 1), worst
    )
    shape = _classify(subject.traits.influence)
    if _is_switched_to_encoder(subject):
        severity, code = Severity.INFO, "T1-CAUSAL-005"
        said = "The class is a language model, and its config says is_decoder=False, so it attends both ways"
    elif subject.traits.causal_declared:
        severity, code = Severity.ERROR, "T1-CAUSAL-001"
        said = "The model is declared causal, and outputs depend on later inputs"
    elif shape in ("looks ahead", "transposed"):
        exact = followed.role == "tokens" and subject.outputs.role == "logits"
        severity, code = (Severity.ERROR if exact else Severity.WARNING), "T1-CAUSAL-002"
        said = "The model is causal in part only, which no design asks for"
    elif _predicts_tokens(subject, followed):
        severity, code = Severity.WARNING, "T1-CAUSAL-004"
        said = "The decoder gives token logits and sees the whole target, later tokens included"
    else:
        return None
    where = _locate_leak(base, followed, telling)
    return Finding(
        code,
        severity,
        f"{said}: {_explain(telling)}{f' (first in `{where}`)' if where else ''}.",
        where,
        {
            "relative_change": worst.size,
            "tolerance": worst.tolerance,
            "position_changed": telling.position,
            "earlier_outputs_moved": telling.moved_before,
            "later_outputs_moved": telling.moved_after,
        },
        "Mask scores where key > query before the softmax (torch.tril, or is_causal=True), and let nothing else "
        "mix positions. If looking ahead is meant, declare ModelSpec(causal=False). In a transformers config of "
        "the BERT family, is_decoder=True switches the mask on.",
    )


def _is_switched_to_encoder(subject: Subject) -> bool:
    """Whether a transformers config says `is_decoder=False`, which the BERT family reads as "attend both ways"."""
    return is_transformers_model(subject.model) and getattr(subject.model.config, "is_decoder", None) is False


def _predicts_tokens(subject: Subject, followed: Argument) -> bool:
    wide = subject.outputs.axes[-1] == subject.traits.vocab_size
    return subject.traits.kind in ("causal-lm", "encoder-decoder") and followed.role == "tokens" and wide


def _classify(influence: InfluenceMap) -> str:
    """Name the shape of an influence map: what is seen of the future against what is seen of the past."""
    size = len(influence)
    later = {(i, j) for i in range(size) for j in range(i + 1, size) if influence[i][j]}
    earlier = {(i, j) for i in range(size) for j in range(i) if influence[i][j]}
    pairs = size * (size - 1) // 2
    if not later:
        return "causal"
    if not earlier:
        return "transposed" if len(later) > size - 1 or size == 2 else "looks ahead"
    reach = max(j - i for i, j in later)
    banded = all(influence[i][i + k] for k in range(1, reach + 1) for i in range(size - k))
    if banded and reach < size - 1 and len(earlier) == pairs:
        return "looks ahead"
    return "bidirectional"


def _explain(leak: _Leak) -> str:
    """Say in words what the outputs that moved point to."""
    before, after, position = leak.moved_before, leak.moved_after, leak.position
    reach = position - min(before) if before else 0
    many = len(leak.changes)
    changed = f"with input {position} of {many} replaced, "
    if before and not after and position < many - 1:
        return (
            changed
            + "only earlier outputs move: the mask is transposed, it shows the future and hides the past"
        )
    if leak.is_faint and reach == position:
        return changed + "every earlier output moves a little: the mask's additive value is too small to hide"
    if reach == 1:
        return changed + "the output one position before moves: attention sees the future by one position"
    if reach < position:
        return (
            changed
            + f"outputs up to {reach} positions before move: each layer sees the future by one position or a few"
        )
    return changed + (
        "every earlier output moves: there is no causal mask, or a step that mixes all positions "
        "(softmax or norm over the sequence, pooling, a wrong reshape)"
    )


def _locate_leak(base: Baseline, followed: Argument, leak: _Leak) -> str:
    tensor = base.call.tensors[followed.name]
    length = tensor.shape[_axis_of(followed, base.answers.subject)]
    return locate_first_divergence(
        base.answers.subject.model.eval(),
        base.call,
        _change_position(base, followed, leak.position),
        all_positions_before(leak.position, length, lambda a, b: measure_change(a, b) > _LOCAL_TOLERANCE),
        seed=base.answers.seed,
    )


def _check_prefix(base: Baseline, followed: Argument, length: int) -> tuple[float | None, Finding | None]:
    """Compare the answer to a prefix with the prefix of the answer."""
    subject = base.answers.subject
    size = subject.outputs.axes[subject.outputs.length_axis]
    shorter = length - 2
    if shorter < max(subject.inputs.min_length, 1):
        return None, None
    cut = base.call
    for argument in subject.inputs.arguments:
        if size in argument.shape and argument.name in cut.tensors:
            axis = argument.shape.index(size)
            cut = cut.with_argument(argument.name, cut.tensors[argument.name].narrow(axis, 0, shorter))
    answer = base.answers.attempt(cut)
    axis = subject.outputs.length_axis
    if answer is None or answer.shape[axis] != shorter:
        return None, None
    change = measure_change(base.answer.narrow(axis, 0, shorter), answer)
    if change <= base.tolerance:
        return change, None
    traits = subject.traits
    exact = followed.role == "tokens" and not traits.experts
    where = locate_first_divergence(
        subject.model.eval(),
        base.call,
        cut,
        shared_prefix(length, shorter, lambda a, b: measure_change(a, b) > base.tolerance / 2),
        seed=base.answers.seed,
    )
    return change, Finding(
        "T1-CAUSAL-003",
        Severity.ERROR if exact else Severity.WARNING,
        f"No output depends on a later input, and yet the first {shorter} outputs change when the input is cut "
        f"from {length} to {shorter} positions: something depends on the length, such as positions counted from "
        "the end.",
        where,
        {"relative_change": change, "tolerance": base.tolerance, "length": length, "shorter_length": shorter},
        "Number positions from the start (torch.arange(length)), and scale nothing by the length of the input.",
    )


CHECK = Check(
    "T1-CAUSAL",
    "causality",
    1,
    run,
    needs=("parameter values", "unquantised layers"),
    cost_steps=0.4,
    value=90,
)

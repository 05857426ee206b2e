"""T1-CAUSAL: no output depends on a later input, and a longer input leaves earlier outputs unchanged.

What it does: replaces the token at several positions t and compares the outputs before t. Then it cuts the input
short and compares the outputs for the prefix with the prefix of the outputs.

Why it matters: with a leak from the future the training loss looks excellent and the generated text is useless.
Positions that are counted from the end, or that depend on the length, make generation differ from training.

Evidence: the influence map (which input changes which output), the largest change relative to the outputs'
standard deviation, and the module in which the first output changes.

Exemptions: models declared bidirectional and measured so, outputs without positions, models that see a window on
either side, and families whose published design looks ahead (`_LOOK_AHEAD`). An encoder of transformers that is used as
a language model with `is_decoder=False` gets an info only. Expert models drop tokens when an expert is full, and
sequence models of floats may scale positions with the length, so the prefix rule gives only a warning for both. Dynamic
RoPE scaling begins beyond the original maximum length; the lengths used here are shorter.

Findings:
    T1-CAUSAL-001 error: the model is declared causal, but outputs depend on later inputs.
    T1-CAUSAL-002 error or warning: nothing is declared, and the model is only partly causal: it looks ahead by a
        few positions, or the mask is transposed.
    T1-CAUSAL-003 error or warning: outputs change when the input after them is cut off: positions are counted from
        the end, or something is scaled by the length.
    T1-CAUSAL-004 warning: a decoder that returns token logits, and takes no mask from its caller, sees the whole
        target.
    T1-CAUSAL-005 info: a language model whose config says `is_decoder=False`, so it attends in both directions.
    T1-CAUSAL-006 warning or info: the model is declared bidirectional, but no output depends on a later input (a
        warning if `ModelSpec` says so).

Source: the property is exact for any masked or recurrent model (Vaswani et al. 2017, section 3.2.3).
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from tierproof.checks.check import Check, CheckContext, CheckOutput
from tierproof.checks.claim import claim_error
from tierproof.checks.measurements.position_influence import PositionInfluence
from tierproof.core.finding import Finding, Severity
from tierproof.core.json_value import JsonValue
from tierproof.model.call.call import Call
from tierproof.model.call.influence import InfluenceMap
from tierproof.model.call.input_plan import Argument
from tierproof.model.call.perturb import can_perturb, find_followed_argument, replace_position
from tierproof.model.call.propose.transformers_inputs import is_transformers_model
from tierproof.model.compare.comparison import measure_change, measure_change_along, measure_spread
from tierproof.model.compare.far_past import sees_far_past
from tierproof.model.compare.locate import all_positions_before, locate_first_divergence, shared_prefix
from tierproof.model.compare.steady_answer import Baseline, find_baseline
from tierproof.model.describe.basis import Basis
from tierproof.model.describe.callers_mask import find_callers_mask
from tierproof.model.describe.subject import Subject

# At a module, equal shapes give equal bits on the CPU; a GPU may choose another kernel for the last digits.
_LOCAL_TOLERANCE = 1e-6
# Permutation and span models: "causal" by their transformers class, bidirectional by their papers.
_LOOK_AHEAD = frozenset({"xlm", "xlnet", "cpmant", "flaubert", "prophetnet", "xlm-prophetnet"})
_MASK_HINT = (
    "Before the softmax, mask all scores with key > query (`torch.tril`, or `is_causal=True`), and remove other "
    "operations that mix positions. If the model is meant to look ahead, declare `ModelSpec(causal=False)`."
)


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
        return CheckOutput(_judge_one_way(subject), measured, skipped=reason)
    followed = find_followed_argument(subject.inputs.arguments, subject.outputs)
    if followed is None:
        return CheckOutput(
            measurements=measured, skipped="no input position corresponds to an output position"
        )
    base = find_baseline(subject, context.seed, batch=1)
    drawn = isinstance(base, str)
    if isinstance(base, str):  # equal shapes draw equal numbers from one seed, so positions can be compared
        base = find_baseline(subject, context.seed, batch=1, seeded=True)
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
                skipped=f"outputs depend on later positions of `{followed.name}`, but nothing declares the model "
                "causal",
            )
        return CheckOutput((finding,), measured)
    if drawn:
        return CheckOutput(measurements=measured)
    change, finding = _check_prefixes(base, followed, length)
    if change is not None:
        measured = replace(measured, leak={**found, "prefix_change": change})
    return CheckOutput((finding,) if finding else (), measured)


def _find_exemption(subject: Subject) -> str:
    traits = subject.traits
    if not subject.outputs.per_position:
        return "the output has no positions"
    if traits.causal_declared is False:
        return "the model is declared bidirectional"
    sequences = [a for a in subject.inputs.arguments if can_perturb(a)]
    if traits.encoder_decoder and len(sequences) == 1:
        return (
            "the model makes the decoder's input from the encoder's input, and the encoder may see all of it"
        )
    model_type = str(getattr(getattr(subject.model, "config", None), "model_type", ""))
    if model_type in _LOOK_AHEAD:
        return f"{model_type} attends to later positions by design"
    return ""


def _judge_one_way(subject: Subject) -> tuple[Finding, ...]:
    """A model that is declared to look both ways, and does not."""
    traits, spec = subject.traits, subject.spec
    if traits.causal_declared is not False or traits.causal_measured is not True:
        return ()
    declared = next((item.declared for item in traits.evidence if item.trait == "causal"), "")
    given = spec.causal is False or spec.kind is not None
    return (
        Finding(
            "T1-CAUSAL-006",
            Severity.WARNING if given else Severity.INFO,
            "The model is declared bidirectional, but no output depends on a later input: a causal mask, or an "
            "operation that only looks back, hides all later inputs.",
            evidence={"declared": declared, "measured": "causal"},
            hint="Remove the causal mask, or declare `ModelSpec(causal=True)` if the model is meant to look back only.",
        ),
    )


def _axis_of(argument: Argument, subject: Subject) -> int:
    return argument.shape.index(subject.outputs.axes[subject.outputs.length_axis])


def _choose_positions(length: int) -> tuple[int, ...]:
    return tuple(dict.fromkeys((length - 1, length // 2, 1)))


def _perturb(base: Baseline, followed: Argument, position: int) -> _Leak:
    subject = base.answers.subject
    moved = base.answers(_change_position(base, followed, position))
    changes = measure_change_along(base.answer, moved, subject.outputs.length_axis)
    return _Leak(position, tuple(changes), base.tolerance)


def _looks_back_on_another(base: Baseline, followed: Argument) -> bool:
    """Whether the outputs follow another argument, as long as this one, and no later part of it: a decoder's input."""
    subject = base.answers.subject
    axis = subject.outputs.axes[subject.outputs.length_axis]
    for argument in subject.inputs.arguments:
        if (
            argument.name == followed.name
            or argument.role not in ("tokens", "floats")
            or axis not in argument.shape
        ):
            continue
        length = base.call.tensors[argument.name].shape[_axis_of(argument, subject)]
        leaks = [_perturb(base, argument, position) for position in _choose_positions(length)]
        if any(leak.moved_after for leak in leaks) and all(leak.size <= base.tolerance for leak in leaks):
            return True
    return False


def _change_position(base: Baseline, followed: Argument, position: int) -> Call:
    tensor = base.call.tensors[followed.name]
    axis = _axis_of(followed, base.answers.subject)
    changed = replace_position(followed, tensor, axis, position, seed=base.answers.seed + 1)
    return base.call.with_argument(followed.name, changed)


def _judge_leak(base: Baseline, followed: Argument, leaks: list[_Leak], worst: _Leak) -> Finding | None:
    subject = base.answers.subject
    if _looks_back_on_another(base, followed):
        return None
    telling = next(
        (leak for leak in leaks if leak.moved_before and leak.position < len(leak.changes) - 1), worst
    )
    shape = _classify(subject.traits.influence)
    hint = _MASK_HINT
    if _is_switched_to_encoder(subject):
        severity, code = Severity.INFO, "T1-CAUSAL-005"
        said = "The config of this language model says `is_decoder=False`, so it attends in both directions"
        hint = (
            "Set `is_decoder=True` in the config to generate text. As an encoder, the model needs no change."
        )
    elif subject.traits.causal_declared:
        severity, code = Severity.ERROR, "T1-CAUSAL-001"
        said = "The model is declared causal, but outputs depend on later inputs"
    elif shape == "looks ahead" and not sees_far_past(base, followed, _axis_of(followed, subject)):
        return None  # it sees a window of the past as well
    elif shape in ("looks ahead", "transposed"):
        exact = followed.role == "tokens" and subject.outputs.role == "logits"
        severity, code = (Severity.ERROR if exact else Severity.WARNING), "T1-CAUSAL-002"
        said = "The model is only partly causal, unlike any known architecture"
    elif _predicts_tokens(subject, followed):
        severity, code = Severity.WARNING, "T1-CAUSAL-004"
        said = "The decoder predicts tokens, but it also sees the later tokens of its own input"
    else:
        return None
    where = _locate_leak(base, followed, telling)
    return claim_error(
        code,
        f"{said}. {_explain(telling)}.{f' The outputs first differ in `{where}`.' if where else ''}",
        where,
        {
            "relative_change": worst.size,
            "tolerance": worst.tolerance,
            "position_changed": telling.position,
            "earlier_outputs_moved": telling.moved_before,
            "later_outputs_moved": telling.moved_after,
        },
        hint,
        rests_on=(Basis.CAUSALITY, Basis.ROLES) if code == "T1-CAUSAL-001" else Basis.ROLES,
        at_most=severity,
    )


def _is_switched_to_encoder(subject: Subject) -> bool:
    """Whether a transformers config says `is_decoder=False`, which the BERT family reads as "attend both ways"."""
    return is_transformers_model(subject.model) and getattr(subject.model.config, "is_decoder", None) is False


def _predicts_tokens(subject: Subject, followed: Argument) -> bool:
    wide = subject.outputs.axes[-1] == subject.traits.vocab_size
    own = subject.traits.kind in ("causal-lm", "encoder-decoder") and followed.role == "tokens" and wide
    return own and not find_callers_mask(subject.model, subject.inputs)


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
    changed = f"When input {position} of {many} is replaced, "
    if before and not after and position < many - 1:
        return (
            changed
            + "only earlier outputs change: the mask is transposed, so it shows the future and hides the past"
        )
    if leak.is_faint and reach == position:
        return (
            changed
            + "every earlier output changes a little: the value that the mask adds is too small to hide anything"
        )
    if reach == 1:
        return (
            changed + "the output one position earlier changes: attention sees one position into the future"
        )
    if reach < position:
        return (
            changed
            + f"outputs up to {reach} positions earlier change: each layer sees one or a few positions into the future"
        )
    return changed + (
        "every earlier output changes: the causal mask is missing, or an operation mixes all positions "
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


def _check_prefixes(base: Baseline, followed: Argument, length: int) -> tuple[float | None, Finding | None]:
    """Compare the answers to two prefixes: one a little shorter, and one of a single position, as in decoding."""
    largest: float | None = None
    for shorter in dict.fromkeys((length - 2, 1)):
        change, finding = _check_prefix(base, followed, length, shorter)
        if change is not None:
            largest = change if largest is None else max(largest, change)
        if finding is not None:
            return largest, finding
    return largest, None


def _check_prefix(
    base: Baseline, followed: Argument, length: int, shorter: int
) -> tuple[float | None, Finding | None]:
    """Compare the answer to a prefix with the prefix of the answer."""
    subject = base.answers.subject
    size = subject.outputs.axes[subject.outputs.length_axis]
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
    # One position alone may have hardly any spread.
    spread = measure_spread(base.answer) if shorter == 1 else None
    change = measure_change(base.answer.narrow(axis, 0, shorter), answer, spread=spread)
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
    return change, claim_error(
        "T1-CAUSAL-003",
        f"The first {f'{shorter} outputs change' if shorter > 1 else 'output changes'} when the input is cut from "
        f"{length} to {shorter} position{'s' if shorter > 1 else ''}, although "
        "no output depends on a later input. Something depends on the length, such as positions counted from the end.",
        where,
        {"relative_change": change, "tolerance": base.tolerance, "length": length, "shorter_length": shorter},
        "Number positions from the start (`torch.arange(length)`), and do not scale by the length of the input.",
        rests_on=Basis.ROLES,
        at_most=Severity.ERROR if exact else Severity.WARNING,
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

"""T1-LOSS: the loss compares each output with the right target, and outputs that look like logits are logits.

What it does: gives a token model targets in which no token occurs twice. The gradient of the loss with respect to the
logits shows which target each position is trained on: the only class with a negative gradient. Then it checks whether
the outputs sum to one or are rectified. Where the model computes its own loss, its value and its gradient at the logits
are compared with those of a cross entropy, also with half of the labels ignored. Finally, it runs the forward pass in
training mode and looks for differentiable scalars, and results of autograd Functions, that nothing uses.

Why it matters: targets that are shifted twice, or not at all, train a model that copies or skips tokens. A softmax
before the cross entropy flattens the gradient. An auxiliary loss whose result is thrown away trains nothing. The loss
falls in each case.

Evidence: the distance between a position and the target it is trained on; the sums and the sign of the outputs.

Exemptions: models without a targets argument are judged by their outputs only. A causal model that compares position
t with target t is not reported if the argument is not called `labels` (nanoGPT's `targets`): its caller shifts. A
loss that is computed from other tensors than the returned logits is not judged. Encoders are trained on the token
itself (masked language models). A model of the transformers library leaves it to the caller to set labels of padding
to -100. A scalar that is read (`item`, `detach`, a comparison) or kept (an attribute, a list) is not discarded. No
scalar is reported if tierproof cannot make targets for a model that takes them.

Findings:
    T1-LOSS-001 warning: a causal model is trained on the token that it receives.
    T1-LOSS-002 error: a causal model is trained on a token further ahead than the next.
    T1-LOSS-003 error: a causal model is trained on an earlier token.
    T1-LOSS-004 warning: the outputs are already probabilities.
    T1-LOSS-005 warning: the outputs are rectified: none is negative, many are exactly zero.
    T1-LOSS-006 warning: different inputs exclude different classes with -inf.
    T1-LOSS-007 error: outputs for each position are normalised over the positions instead of the classes.
    T1-LOSS-008 warning: a differentiable scalar, such as an auxiliary loss, is computed in training and discarded.
    T1-LOSS-009 warning: the result of an autograd Function is discarded, so its backward never runs.
    T1-LOSS-010 error: the model's own loss is finite, but its gradients are not.
    T1-LOSS-011 warning: the loss function receives probabilities where it expects logits or log-probabilities.
    T1-LOSS-012 warning: the loss has the value of a cross entropy, but its gradient at the logits differs from a cross
        entropy's.
    T1-LOSS-013 warning: positions that are labelled -100 count in the mean of the loss.
    T1-LOSS-014 warning: the loss is divided by the number of labels before the shift.
    T1-LOSS-015 warning: labels at positions that the padding mask hides are summed or counted.

Source: the gradient of softmax cross entropy is p - onehot(target) (Bridle 1990). Redundant activations and
wrong targets are classes of the taxonomy of Humbatova et al. 2020 (arXiv 1910.11015).
"""

from __future__ import annotations

from collections import Counter

import torch
from torch import Tensor

from tierproof.checks.check import Check, CheckContext, CheckOutput
from tierproof.checks.claim import claim_error
from tierproof.checks.tier1.loss.discarded_results import judge_discarded_results
from tierproof.checks.tier1.loss.own_loss import judge_own_loss
from tierproof.checks.tier1.loss.target_call import find_loss, make_target_call
from tierproof.core.finding import Finding, Severity
from tierproof.core.json_value import JsonValue
from tierproof.model.call.call import Call
from tierproof.model.call.outputs import iterate_tensors
from tierproof.model.compare.short_call import make_short_call
from tierproof.model.describe.basis import Basis
from tierproof.model.describe.subject import Subject
from tierproof.model.observe.activation_trace import trace_activations

CODE = "T1-LOSS"
# Shares of answers: half of a random vector is negative, and none of it exactly zero.
_MANY_ZEROS = 0.2
_SUM_TOLERANCE = 1e-3
# The targets of this share of positions must agree on one distance before anything is said.
_AGREEMENT = 0.9


def run(context: CheckContext) -> CheckOutput:
    """Run the check."""
    subject = context.subject
    subject.model.eval()
    measured: dict[str, JsonValue] = {}
    findings = _judge_answers(subject, context.seed)
    distance = _measure_distance(subject, context.seed)
    if isinstance(distance, str):
        measured["targets"] = distance
    else:
        name, steps = distance
        measured["target_distance_positions"] = steps
        findings += _judge_distance(subject, name, steps)
    findings += judge_own_loss(subject, context.seed, measured)
    findings += judge_discarded_results(subject, context.seed)
    return CheckOutput(tuple(findings), measured)


def _measure_distance(subject: Subject, seed: int) -> tuple[str, int] | str:
    """The name of the targets and how many positions they lie ahead of their logits, or why that is unknown."""
    if subject.traits.kind not in ("causal-lm", "encoder-decoder") or not subject.outputs.per_position:
        return "the check applies only to language models that return logits for each position"
    if subject.outputs.axes[-1] != subject.traits.vocab_size:
        return "the outputs are not logits over the vocabulary"
    found = make_target_call(subject, seed)
    if found is None:
        return "the model takes no targets"
    name, call = found
    targets = call.tensors[name]
    torch.manual_seed(seed)
    try:
        with torch.enable_grad():
            output = call.run(subject.model)
    except Exception as error:  # noqa: BLE001 - reported: targets of another kind than drawn here
        return f"the forward raises {type(error).__name__} when it gets `{name}`"
    tensors = dict(iterate_tensors(output))
    logits = tensors.get(subject.outputs.main)
    loss = find_loss(tensors)
    if loss is None or logits is None or not (loss.requires_grad and logits.requires_grad):
        return "the model returns no loss together with the logits"
    (gradient,) = torch.autograd.grad(loss, logits, allow_unused=True)
    if gradient is None or gradient.dim() != 3 or gradient.shape[:2] != targets.shape:
        return "the loss is not computed from the returned logits"
    return _read_distance(name, gradient, targets)


def _read_distance(name: str, gradient: Tensor, targets: Tensor) -> tuple[str, int] | str:
    """For each trained position, where in the targets its class stands."""
    counts: Counter[int] = Counter()
    for row, row_targets in zip(gradient.float(), targets, strict=True):
        places = {int(token): place for place, token in enumerate(row_targets)}
        for position, classes in enumerate(row):
            if bool((classes != 0).any()):
                place = places.get(int(classes.argmin()))
                if place is not None:
                    counts[place - position] += 1
    if not counts:
        return "the logits get no gradient from the loss"
    distance, votes = counts.most_common(1)[0]
    if votes < _AGREEMENT * counts.total() or votes < 3:
        return "the positions do not all predict the target at the same distance"
    return name, distance


def _judge_distance(subject: Subject, name: str, steps: int) -> list[Finding]:
    expected = 1 if subject.traits.kind == "causal-lm" else 0
    shifted_by_caller = steps == 0 and name != "labels"
    if steps == expected or shifted_by_caller or subject.traits.causal_declared is False:
        return []
    evidence: dict[str, JsonValue] = {"distance_positions": steps, "expected_positions": expected}
    if steps == 0:
        return [
            Finding(
                f"{CODE}-001",
                Severity.WARNING,
                f"The loss compares the logits at position t with {name}[t]: if the caller passes the input as "
                f"`{name}`, the model learns to copy it.",
                "",
                evidence,
                f"Compare `logits[:, :-1]` with `{name}[:, 1:]`, or rename the argument to `targets` and let "
                "callers shift.",
            )
        ]
    ahead = steps > expected
    return [
        claim_error(
            f"{CODE}-002" if ahead else f"{CODE}-003",
            f"The loss compares position t with {name}[t{steps:+d}], but it must be {name}[t{expected:+d}]: "
            + (
                "the targets are shifted twice."
                if ahead
                else "the model is trained on what it has already seen."
            ),
            "",
            evidence,
            f"Shift once: compare `logits[:, :-1]` with `{name}[:, 1:]`."
            if expected
            else f"Do not shift: the decoder's input is already one position behind `{name}`.",
            rests_on=(Basis.ROLES, Basis.KIND),
            at_most=Severity.ERROR if subject.traits.kind == "causal-lm" else Severity.WARNING,
        )
    ]


def _judge_answers(subject: Subject, seed: int) -> list[Finding]:
    call = make_short_call(subject, seed)
    torch.manual_seed(seed)
    with torch.no_grad():
        answer = subject.answer(call)
    if answer.dim() < 2 or answer.shape[-1] < 2 or not answer.is_floating_point() or answer.isnan().any():
        return []
    if bool((answer == float("-inf")).any()):
        return _judge_ruled_out(subject, call, answer, seed)
    if misplaced := _judge_normalised_axis(subject, call, answer, seed):
        return misplaced
    sums = answer.double().sum(dim=-1)
    if bool((answer >= 0).all()) and bool(((sums - 1).abs() <= _SUM_TOLERANCE).all()):
        return [
            Finding(
                f"{CODE}-004",
                Severity.WARNING,
                "The outputs are probabilities: they are positive and sum to one. `cross_entropy` would apply a second "
                "softmax to them.",
                _locate_last(subject, call, answer, seed),
                {"largest_sum_error": float((sums - 1).abs().max())},
                "Return the logits, and apply softmax only where you read probabilities.",
            )
        ]
    zeros = float((answer == 0).double().mean())
    if subject.outputs.role == "logits" and bool((answer >= 0).all()) and _MANY_ZEROS <= zeros < 1:
        return [
            Finding(
                f"{CODE}-005",
                Severity.WARNING,
                f"The outputs look like those of a ReLU: none is negative and {zeros:.0%} are exactly zero, so the "
                "classes at zero get no gradient.",
                _locate_last(subject, call, answer, seed),
                {"zero_share": zeros},
                "Remove the activation after the last layer.",
            )
        ]
    return []


def _judge_normalised_axis(subject: Subject, call: Call, answer: Tensor, seed: int) -> list[Finding]:
    """Find a softmax, or its logarithm, that sums to one over the positions but not over the classes."""
    if not subject.outputs.per_position or answer.shape[subject.outputs.length_axis] < 2:
        return []
    axis = subject.outputs.length_axis
    for name, values in (("softmax", answer.double()), ("log_softmax", answer.double().exp())):
        over_positions, over_classes = ((values.sum(dim=d) - 1).abs().max() for d in (axis, -1))
        if bool((values >= 0).all()) and over_positions <= _SUM_TOLERANCE < over_classes:
            return [
                claim_error(
                    f"{CODE}-007",
                    f"A {name} runs over the positions instead of the classes: probabilities sum to one over all "
                    "positions, not over the classes of one position.",
                    _locate_last(subject, call, answer, seed),
                    {
                        "largest_sum_error_over_positions": float(over_positions),
                        "over_classes": float(over_classes),
                    },
                    f"Call {name} with `dim=-1`, the axis of the classes.",
                    rests_on=Basis.ROLES,
                )
            ]
    return []


def _judge_ruled_out(subject: Subject, call: Call, answer: Tensor, seed: int) -> list[Finding]:
    """Judge -inf in the logits: the same classes for all inputs are a design, different ones are log(0)."""
    if subject.outputs.role != "logits":
        return []
    ruled_out = (answer == float("-inf")).flatten(0, -2)
    share = float(ruled_out.double().mean())
    if share < _MANY_ZEROS or bool((ruled_out == ruled_out[0]).all()):
        return []
    return [
        Finding(
            f"{CODE}-006",
            Severity.WARNING,
            f"{share:.0%} of the logits are -inf, and which ones depends on the input: this comes from a log of zero, "
            "not from classes that are excluded on purpose.",
            _locate_last(subject, call, answer, seed),
            {"ruled_out_share": share},
            "Use `log_softmax`, or clamp before the logarithm.",
        )
    ]


def _locate_last(subject: Subject, call: Call, answer: Tensor, seed: int) -> str:
    """The innermost module that returns exactly this tensor's values."""
    for item in trace_activations(subject.model, call, seed=seed):
        if any(torch.equal(tensor, answer) for tensor in item.outputs.values()):
            return item.path
    return ""


CHECK = Check(CODE, "loss and targets", 1, run, needs=("parameter values",), cost_steps=0.7, value=76)

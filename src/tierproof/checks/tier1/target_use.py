"""T1-TARGET: no output depends on its own target, and ignored targets train nothing.

What it does: passes targets to a model that takes them. It compares the caller's targets before and after, changes the
target of one position and looks at the outputs up to there, and labels the second half with -100, PyTorch's ignored
class, and looks at the gradient of the loss there.

Why it matters: a model that feeds its targets to the decoder without a shift learns to copy them. A loss that
turns -100 into a class trains on padding.

Evidence: the change of the outputs, and the size of the gradient at ignored positions relative to the others.

Exemptions: if passing the argument gives no loss, only its name says that it is a target: a leak is then a warning,
or not reported if the model requires the argument. Losses that raise on -100 are not judged, because they have an
ignored class of their own. A loss that is not computed from the returned logits is not judged by its gradient.

Findings:
    T1-TARGET-001 error: the forward changes the caller's targets in place.
    T1-TARGET-002 error: an output depends on the target that it is compared with.
    T1-TARGET-003 error: positions labelled -100 are trained on.

Source: teacher forcing (Williams and Zipser 1989) feeds the targets before a position; `cross_entropy` ignores -100.
"""

from __future__ import annotations

from dataclasses import replace

import torch
from torch import Tensor

from tierproof.checks.check import Check, CheckContext, CheckOutput
from tierproof.checks.claim import claim_error
from tierproof.checks.tier1.loss.target_call import find_loss
from tierproof.core.finding import Finding, Severity
from tierproof.core.json_value import JsonValue
from tierproof.core.standing import Fact, Standing
from tierproof.model.call.call import Call
from tierproof.model.call.extra_arguments import find_target_name
from tierproof.model.call.forward_signature import read_signature
from tierproof.model.call.outputs import iterate_tensors
from tierproof.model.call.perturb import find_followed_argument
from tierproof.model.compare.comparison import find_tolerance, measure_change, measure_spread
from tierproof.model.describe.basis import Basis
from tierproof.model.describe.subject import Subject

_IGNORED = -100
_LENGTH = 12


def run(context: CheckContext) -> CheckOutput:
    """Run the check."""
    subject = context.subject
    subject.model.eval()
    found = _prepare(subject, context.seed)
    if isinstance(found, str):
        return CheckOutput(skipped=found)
    name, call = found
    measured: dict[str, JsonValue] = {"targets": name}
    findings = _judge_writes(subject, name, call, context.seed)
    for judge in (_judge_leak, _judge_ignored):
        try:
            findings += judge(subject, name, call, context.seed, measured)
        except Exception as error:  # noqa: BLE001 - targets of another kind than drawn here
            measured["raised"] = f"{type(error).__name__}: {str(error)[:160]}"
    return CheckOutput(tuple(findings), measured)


def _prepare(subject: Subject, seed: int) -> tuple[str, Call] | str:
    """The default call with random targets, without decoder tokens of its own where those are optional."""
    signature = read_signature(subject.model)
    outputs, inputs = subject.outputs, subject.inputs
    name = find_target_name(signature.names, primary=inputs.primary)
    logits = outputs.per_position and outputs.axes[-1] == subject.traits.vocab_size
    if name is None or not logits or inputs.style == "mapping" or len(outputs.axes) != 3:
        return "the model takes no targets for logits over a vocabulary"
    followed = find_followed_argument(inputs.arguments, outputs)
    if followed is None or followed.role != "tokens" or len(followed.shape) != 2:
        return "no token input has positions that match the output positions"
    length = inputs.clip_length(_LENGTH)
    call = subject.make_call(batch=2, length=length, target_length=length, seed=seed)
    targets = followed.draw(
        {"batch": 2, "length": length, "target_length": length}, torch.Generator().manual_seed(seed + 11)
    ).to(subject.device)
    made = replace(call.with_argument(name, targets), style="keyword")
    if followed.name in signature.optional and followed.name != name and followed is not inputs.arguments[0]:
        # The model then makes the decoder's tokens of the targets, which is what is judged.
        rest = {key: value for key, value in made.arguments.items() if key != followed.name}
        made = replace(made, arguments=rest)
    try:
        with torch.no_grad():
            subject.answer(made)
    except Exception as error:  # noqa: BLE001 - targets of another kind than drawn here
        return f"the forward raises {type(error).__name__} when it gets `{name}`"
    return name, made


def _judge_writes(subject: Subject, name: str, call: Call, seed: int) -> list[Finding]:
    """Pass the original targets, some of them ignored, and see whether they are still what they were."""
    for ignore in (True, False):
        given = call.tensors[name].clone()
        if ignore:
            given[:, given.shape[1] // 2 :] = _IGNORED
        kept = given.clone()
        try:
            with torch.no_grad():
                torch.manual_seed(seed)
                call.run_on(subject.model, {**call.arguments, name: given})
        except Exception:  # noqa: BLE001 - a loss with an ignored class of its own refuses -100
            continue
        if not torch.equal(given, kept):
            return [
                claim_error(
                    "T1-TARGET-001",
                    f"The forward changes the caller's `{name}` in place, in {int((given != kept).sum())} places.",
                    "",
                    {"argument": name, "changed": int((given != kept).sum())},
                    "Clone the targets first, or use `masked_fill` without the trailing underscore.",
                    rests_on=Basis.ROLES,
                )
            ]
    return []


def _judge_leak(
    subject: Subject, name: str, call: Call, seed: int, measured: dict[str, JsonValue]
) -> list[Finding]:
    """Change the target of one position and compare the answers up to there."""
    targets, position = call.tensors[name], call.tensors[name].shape[1] // 2
    other = targets.clone()
    other[:, position] = targets.roll(1, dims=1)[:, position]
    other[:, position] = torch.where(
        other[:, position] == targets[:, position], targets[:, 0], other[:, position]
    )
    if torch.equal(other, targets):
        return []
    answers: list[Tensor] = []
    for given in (targets, other):
        with torch.no_grad():
            torch.manual_seed(seed)
            answers.append(subject.answer(call.with_argument(name, given)).clone())
    axis = subject.outputs.length_axis
    if answers[0].shape[axis] != targets.shape[1]:
        return []
    seen = [answer.narrow(axis, 0, position + 1) for answer in answers]
    change = measure_change(*seen, spread=measure_spread(answers[0]))
    measured["change_by_own_target"] = change
    if change <= find_tolerance(answers[0]):
        return []
    fact = _find_target_fact(subject, name, call, seed)
    if fact.standing is Standing.ASSUMED and name in {argument.name for argument in subject.inputs.arguments}:
        return []  # an input of the model, and only its name says that it is compared with an output as well
    return [
        claim_error(
            "T1-TARGET-002",
            f"The outputs up to position {position} change by {change:.2g} standard deviations when target "
            f"{position} is replaced: the model sees what it is trained to predict.",
            "",
            {"relative_change": change, "position": position},
            f"Feed the decoder with `{name}` shifted one position to the right, behind a start token.",
            rests_on=(Basis.ROLES, fact),
        )
    ]


def _find_target_fact(subject: Subject, name: str, call: Call, seed: int) -> Fact:
    """Whether an argument is a target: it then makes the loss, or moves it. Else its name alone says so."""
    rest = {key: value for key, value in call.arguments.items() if key != name}
    with torch.no_grad():
        torch.manual_seed(seed)
        loss = find_loss(dict(iterate_tensors(call.run(subject.model))))
        try:
            torch.manual_seed(seed)
            without = find_loss(dict(iterate_tensors(replace(call, arguments=rest).run(subject.model))))
        except Exception:  # noqa: BLE001 - the model needs its targets
            without = None
    if loss is not None and (without is None or not torch.equal(loss, without)):
        return Fact("targets", Standing.MEASURED, f"`{name}`, which the loss needs")
    return Fact("targets", Standing.ASSUMED, f"`{name}`, by its name", "return the loss beside the logits")


def _judge_ignored(
    subject: Subject, name: str, call: Call, seed: int, measured: dict[str, JsonValue]
) -> list[Finding]:
    """Label the second half with -100 and take the gradient of the loss there."""
    targets = call.tensors[name].clone()
    half = targets.shape[1] // 2
    targets[:, half:] = _IGNORED
    with torch.enable_grad():
        torch.manual_seed(seed)
        tensors = dict(iterate_tensors(call.with_argument(name, targets).run(subject.model)))
        logits = tensors.get(subject.outputs.main)
        loss = next(
            (t for p, t in tensors.items() if t.numel() == 1 and "loss" in p and "aux" not in p), None
        )
        if loss is None or logits is None or not (loss.requires_grad and logits.requires_grad):
            return []
        (gradient,) = torch.autograd.grad(loss.sum(), logits, allow_unused=True)
    axis = subject.outputs.length_axis
    if gradient is None or gradient.shape[axis] != targets.shape[1] or not bool(gradient.isfinite().all()):
        return []
    # A shift by a position or two moves the border between the halves.
    trained = float(gradient.narrow(axis, 0, half - 2).abs().max())
    ignored = float(gradient.narrow(axis, half + 2, targets.shape[1] - half - 2).abs().max())
    measured["gradient_of_ignored"] = ignored / trained if trained else 0.0
    if trained == 0 or ignored <= 1e-6 * trained:
        return []
    return [
        claim_error(
            "T1-TARGET-003",
            f"Positions whose `{name}` is -100 are trained on: their gradient is {ignored / trained:.2g} times that at "
            "other positions.",
            "",
            {"gradient_of_ignored": ignored, "gradient_of_others": trained},
            "Pass targets of -100 on to `cross_entropy` unchanged, and keep its default `ignore_index=-100`.",
            rests_on=Basis.ROLES,
            at_most=Severity.WARNING,
        )
    ]


CHECK = Check("T1-TARGET", "use of targets", 1, run, needs=("parameter values",), cost_steps=0.3, value=64)

"""T3-PARAM, trained parameters: every trainable parameter is in the optimizer once, gets a gradient and moves.

What it does: compares the model's parameters with the groups of the optimizers, and follows each one's gradient and
values through a few updates. Parameters without a gradient are moved by hand, to see whether the loss depends on them.

Why it matters: a parameter that no optimizer holds keeps its random start, and the loss still falls, because the others
make up for it. A graph that is cut does the same to everything before the cut.

Evidence: paths of the parameters, the norm of their gradients, the change of the loss when they are moved.

Exemptions: a parameter that moves without an optimizer, as a teacher's or a hand-written update's does. An optimizer
that holds less than half of the trainable tensors gets a warning only: the rest is probably meant to be frozen.
Parameters whose module runs under `no_grad` get a warning only.

Findings:
    T3-PARAM-001 error or warning: a trainable parameter gets a gradient, and no optimizer holds it.
    T3-PARAM-002 error or warning: a parameter is held twice, and is updated twice in each step.
    T3-PARAM-003 error: the optimizer holds tensors of another model, and lacks those of this one.
    T3-PARAM-004 error or warning: a parameter gets a gradient, and the optimizer's step does not change it.
    T3-PARAM-005 error: a frozen parameter is changed by the optimizer.
    T3-PARAM-006 error or warning: the loss depends on a parameter, and it gets no gradient: the graph is cut.
    T3-PARAM-007 info: the optimizer holds parameters that the loss does not depend on.
    T3-PARAM-008 warning or info: weight decay acts on norms, biases or embeddings.
    T3-PARAM-009 error: no parameter changes in any step.
    T3-PARAM-010 warning: the learning rate of some parameters is 0 in every update.

Source: the optimizer's contract (torch.optim); Loshchilov and Hutter 2019 (arXiv 1711.05101) on decay.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from itertools import pairwise

from tierproof.core.finding import Finding, Severity
from tierproof.training.audit.parts.training_parts import ParameterFacts, ParameterKind
from tierproof.training.audit.recording.step_event import EventKind
from tierproof.training.audit.recording.step_record import UpdateRecord
from tierproof.training.audit.rules.rule import (
    Rule,
    RuleOutput,
    find_common_module,
    list_some,
    report_finding,
)
from tierproof.training.audit.trials.audit_evidence import AuditEvidence

CODE = "T3-PARAM"
# Decay from here on pulls noticeably within one training; AdamW's own default is 0.01.
_STRONG_DECAY = 0.05
# Below this rate an update may vanish in rounding, as at the start of a warm-up.
_LEAST_RATE = 1e-6
# A smaller gradient vanishes beside Adam's epsilon, a smaller update beside the rounding of the weight.
_LEAST_SLOPE, _LEAST_PUSH = 1e-6, 1e-6


def judge_parameters(evidence: AuditEvidence) -> RuleOutput:
    """Judge which parameters are trained; see the module's docstring."""
    updates = [update for record in evidence.plain for update in record.updates]
    held = [each for each in evidence.parameters if each.holders]
    measurements = {
        "parameters": len(evidence.parameters),
        "trainable": sum(each.trainable for each in evidence.parameters),
        "in_an_optimizer": len(held),
        "updates": len(updates),
    }
    moved = _find_moved(evidence)
    if not moved:
        stopped = _explain_standstill(evidence, updates)
        return RuleOutput((stopped, *_find_unheld(evidence, moved)), measurements)
    findings = [
        *_find_unheld(evidence, moved),
        *_find_held_twice(evidence),
        *_find_stuck(evidence, updates),
        *_find_without_rate(evidence, updates),
        *_find_moving_frozen(evidence),
        *_find_cut(evidence),
        *_find_decayed(evidence),
    ]
    return RuleOutput(tuple(findings), measurements)


def _find_moved(evidence: AuditEvidence) -> set[str]:
    last = evidence.plain[-1].parameters
    return {path for path, start in evidence.initial.parameters.items() if last.get(path) != start}


def _gets_gradient(evidence: AuditEvidence, path: str) -> bool:
    """Whether any backward pass left a gradient that is not zero."""
    for record in evidence.plain:
        for backward in record.backwards:
            gradient = backward.after.get(path)
            if gradient is not None and not gradient.is_zero:
                return True
    return False


def _explain_standstill(evidence: AuditEvidence, updates: list[UpdateRecord]) -> Finding:
    backwards = sum(len(record.backwards) for record in evidence.plain)
    calls = len(evidence.plain)
    if not updates and not backwards:
        why = f"in {calls} calls nothing called backward() and no optimizer stepped"
    elif not updates:
        why = f"in {calls} calls backward() ran {backwards} times, and no optimizer stepped"
    elif all(each is None for update in updates for each in update.gradients.values()):
        why = "the optimizer steps, but no parameter has a gradient then"
    elif all(rate == 0 for update in updates for rate in update.rates):
        why = "the learning rate is 0 in every step"
    else:
        why = "the optimizer steps, and no value changes"
    line = evidence.plain[0].find_line(EventKind.UPDATE if updates else EventKind.BACKWARD)
    return report_finding(
        f"{CODE}-009",
        Severity.ERROR,
        f"The step trains nothing: {why}.",
        line=line,
        evidence={"calls": calls, "backwards": backwards, "updates": len(updates)},
        hint="A step calls loss.backward(), then optimizer.step() with the gradients still in place.",
    )


def _find_unheld(evidence: AuditEvidence, moved: set[str]) -> Iterator[Finding]:
    lost = [
        each
        for each in evidence.parameters
        if each.trainable
        and not each.holders
        and each.path not in moved
        and _gets_gradient(evidence, each.path)
    ]
    if not lost:
        return
    trainable = [each for each in evidence.parameters if each.trainable]
    strangers = sum(optimizer.strangers for optimizer in evidence.optimizers)
    paths = [each.path for each in lost]
    held = sum(bool(each.holders) for each in trainable)
    counts = {"missing": len(lost), "held": held, "foreign_tensors": strangers}
    if strangers:
        yield report_finding(
            f"{CODE}-003",
            Severity.ERROR,
            f"The optimizer holds {strangers} tensors that the model does not have, and lacks {len(lost)} that it has "
            f"({list_some(paths)}): it was made for another model, or before this one was copied, moved or rebuilt.",
            where=find_common_module(paths),
            evidence=counts,
            hint="Make the optimizer from model.parameters() of the final model.",
        )
        return
    severity = Severity.ERROR if held >= len(trainable) / 2 else Severity.WARNING
    yield report_finding(
        f"{CODE}-001",
        severity,
        f"No optimizer holds {list_some(paths)}: trainable, with a gradient in each step, and never updated.",
        where=find_common_module(paths),
        evidence=counts,
        hint="Add them to a parameter group, or set requires_grad=False if they are meant to stay as they are.",
    )


def _find_held_twice(evidence: AuditEvidence) -> Iterator[Finding]:
    twice = [each for each in evidence.parameters if len(each.holders) > 1]
    if not twice:
        return
    one = any(len({index for index, _ in each.holders}) < len(each.holders) for each in twice)
    yield report_finding(
        f"{CODE}-002",
        Severity.ERROR if one else Severity.WARNING,
        f"{list_some(each.path for each in twice)} {'is' if len(twice) == 1 else 'are'} held by more than one "
        f"{'parameter group' if one else 'optimizer'}, and updated by each of them.",
        where=find_common_module(each.path for each in twice),
        evidence={"parameters": len(twice)},
        hint="Give each parameter to one group of one optimizer.",
    )


def _find_stuck(evidence: AuditEvidence, updates: list[UpdateRecord]) -> Iterator[Finding]:
    stuck: list[ParameterFacts] = []
    rates: list[float] = []
    for each in evidence.parameters:
        mine = [update for update in updates if any(index == update.optimizer for index, _ in each.holders)]
        if not each.trainable or not mine:
            continue
        if any(update.before[each.path] != update.after[each.path] for update in mine):
            continue
        pushed = [update for update in mine if _is_pushed(update, each)]
        if pushed:
            stuck.append(each)
            rates.append(max(update.rates[each.holders[0][1]] for update in pushed))
    if not stuck:
        return
    tiny = max(rates) < _LEAST_RATE
    yield report_finding(
        f"{CODE}-004",
        Severity.WARNING if tiny else Severity.ERROR,
        f"The optimizer's step does not change {list_some(each.path for each in stuck)}, although the gradient is not "
        f"zero and the learning rate is {max(rates):g}.",
        line=evidence.plain[0].find_line(EventKind.UPDATE),
        where=find_common_module(each.path for each in stuck),
        evidence={"parameters": len(stuck), "learning_rate": max(rates)},
        hint="The update is lost in rounding, or something puts the old values back: keep float32 weights, and look "
        "for code that writes the parameters.",
    )


def _find_without_rate(evidence: AuditEvidence, updates: list[UpdateRecord]) -> Iterator[Finding]:
    """Parameters with a gradient whose groups have a learning rate of zero in every update."""
    still = []
    for each in evidence.parameters:
        rates = [
            update.rates[number]
            for update in updates
            for index, number in each.holders
            if index == update.optimizer and number < len(update.rates)
        ]
        if each.trainable and rates and not any(rates) and _gets_gradient(evidence, each.path):
            still.append(each.path)
    if still:
        yield report_finding(
            f"{CODE}-010",
            Severity.WARNING,
            f"The learning rate of {list_some(still)} is 0 in every update, while others are trained.",
            where=find_common_module(still),
            evidence={"parameters": len(still)},
            hint="Give the group a learning rate, or set requires_grad=False if it is meant to stay as it is.",
        )


def _is_pushed(update: UpdateRecord, parameter: ParameterFacts) -> bool:
    """Whether the gradient is so large that float32 weights must change, by plain descent and by its sign alone."""
    gradient = update.gradients.get(parameter.path)
    group = next((number for index, number in parameter.holders if index == update.optimizer), None)
    before = update.before[parameter.path]
    if gradient is None or before is None or group is None or group >= len(update.rates):
        return False
    size = math.sqrt(max(1, parameter.elements))
    slope, weight = gradient.norm / size, before.norm / size
    if not 0 < slope < math.inf or update.rates[group] <= 0:
        return False
    return slope > _LEAST_SLOPE and update.rates[group] * min(1.0, slope) > _LEAST_PUSH * weight


def _find_moving_frozen(evidence: AuditEvidence) -> Iterator[Finding]:
    changed: dict[str, None] = {}
    for before, after in pairwise((evidence.initial, *evidence.plain)):
        for path in sorted(before.frozen & after.frozen):  # not those that are frozen or freed on the way
            if any(update.before.get(path) != update.after.get(path) for update in after.updates):
                changed[path] = None
    frozen = list(changed)
    if frozen:
        yield report_finding(
            f"{CODE}-005",
            Severity.ERROR,
            f"The optimizer changes {list_some(frozen)}, although requires_grad is False.",
            where=find_common_module(frozen),
            evidence={"parameters": len(frozen)},
            hint="An old gradient or momentum still acts: freeze before the optimizer is made, and leave frozen "
            "parameters out of it.",
        )


def _find_cut(evidence: AuditEvidence) -> Iterator[Finding]:
    quiet = evidence.quiet
    if quiet is None or quiet.minimised is None:
        return
    unused: list[str] = []
    silenced = {path for forward in quiet.forwards for path in forward.modules_without_gradient}
    for trial in evidence.cut:
        if trial.record.minimised is None:
            continue
        change = abs(trial.record.minimised - quiet.minimised) / max(1e-12, abs(quiet.minimised))
        if change <= 1e-6:
            unused += trial.parameters
            continue
        without = all(path.rpartition(".")[0] in silenced for path in trial.parameters)
        how = (
            "runs under no_grad" if without else "is cut off from the loss (detach, .data, .item() or numpy)"
        )
        yield report_finding(
            f"{CODE}-006",
            Severity.WARNING if without or evidence.drawing else Severity.ERROR,
            f"{trial.module} is never trained: the loss changes by {change:.2%} when its parameters are moved, but "
            f"they get no gradient, because it {how}.",
            where=find_common_module(trial.parameters),
            evidence={"relative_change": change, "parameters": len(trial.parameters)},
            hint="Let the gradient through; or, if it is meant to be frozen, set requires_grad=False and leave it out "
            "of the optimizer.",
        )
    if unused:
        yield report_finding(
            f"{CODE}-007",
            Severity.INFO,
            f"The loss does not depend on {list_some(unused)}, which the optimizer holds.",
            where=find_common_module(unused),
            evidence={"parameters": len(unused)},
        )


def _find_decayed(evidence: AuditEvidence) -> Iterator[Finding]:
    decays = {
        (index, number): group.get("weight_decay", 0.0)
        for index, optimizer in enumerate(evidence.optimizers)
        for number, group in enumerate(optimizer.groups)
    }
    spared = (ParameterKind.NORM, ParameterKind.BIAS, ParameterKind.EMBEDDING)
    pulled = [
        each
        for each in evidence.parameters
        if each.kind in spared and any(decays.get(place, 0.0) > 0 for place in each.holders)
    ]
    if not pulled:
        return
    most = max(decays.get(place, 0.0) for each in pulled for place in each.holders)
    kinds = sorted(
        {f"{each.kind.value}s" if each.kind is not ParameterKind.BIAS else "biases" for each in pulled}
    )
    yield report_finding(
        f"{CODE}-008",
        Severity.WARNING if most >= _STRONG_DECAY else Severity.INFO,
        f"Weight decay of {most:g} acts on {len(pulled)} parameters of {', '.join(kinds)}, such as "
        f"{list_some(each.path for each in pulled)}.",
        evidence={"weight_decay": most, "parameters": len(pulled)},
        hint="Put parameters with fewer than two axes, and embeddings, into a group with weight_decay=0.",
    )


RULE = Rule(CODE, "trained parameters", judge_parameters)

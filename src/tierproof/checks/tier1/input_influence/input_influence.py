"""T1-INPUT: every part of the input affects the output.

What it does: replaces each input position (token or step) in turn and checks whether any output changes. For images
and audio it uses the gradient to find regions that do not count, and confirms each by replacing it. Then it replaces
each further input argument as a whole.

Why it matters: a token that is overwritten, cut off or hidden by a wrong mask is lost without an error.

Evidence: the positions or regions that change nothing, by exact comparison, in two draws.

Exemptions: arguments that are masks, targets or type ids, and images and audio whose patches are dropped at random
(another seed keeps them). The last steps of a float sequence, which framing may drop, give only a warning. So do
float inputs that are quantised by a codebook, which may collapse while its parameters are random. The last token of a
model that shifts its input internally, so that no position affects its own output, is not reported.

Findings:
    T1-INPUT-001 error or warning: a whole input argument has no effect.
    T1-INPUT-002 error or warning: some positions, regions or channels have no effect (an info if the kind of the input
        is only assumed, and only its last positions have no effect).
    T1-INPUT-003 warning: segment ids have no effect although the model has a table for them.
    T1-INPUT-004 warning or info: the order of the tokens has no effect (an info if the model has no position table).

Source: exact for token models: an embedded token affects at least its own output or the pooled output.
"""

from __future__ import annotations

from dataclasses import replace

import torch
from torch import Tensor

from tierproof.checks.check import Check, CheckContext, CheckOutput
from tierproof.checks.claim import claim_error
from tierproof.checks.tier1.input_influence.input_roles import (
    find_dead_channels,
    judge_order,
    judge_segments,
    report_dead_channels,
)
from tierproof.core.finding import Finding, Severity
from tierproof.core.json_value import JsonValue
from tierproof.core.standing import Standing
from tierproof.model.call.call import Call
from tierproof.model.call.input_plan import BATCH, LENGTH, TARGET_LENGTH, Argument
from tierproof.model.call.perturb import can_perturb, replace_position, replace_values
from tierproof.model.compare.blank_codebooks import fill_blank_codebooks
from tierproof.model.compare.comparison import measure_change
from tierproof.model.compare.locate import locate
from tierproof.model.compare.steady_answer import Baseline, SteadyAnswers, find_baseline
from tierproof.model.describe.basis import Basis
from tierproof.model.gradients.first_steps import take_first_steps
from tierproof.model.observe.lookup_probe import LookupProbe

# A grid this fine is coarser than any usual patch, so that a stride that skips single pixels is no finding.
_REGIONS_PER_AXIS = 4
# Two draws: one id may happen to embed like another.
_DRAWS = 2
# Other inputs, in which a position that lost a maximum over all of them may win it.
_OTHER_INPUTS = 6


def run(context: CheckContext) -> CheckOutput:
    """Run the check."""
    subject = context.subject
    base = find_baseline(subject, context.seed, batch=1)
    if isinstance(base, str):
        return CheckOutput(skipped=base)
    given = base.call.tensors
    arguments = [
        a for a in subject.inputs.arguments if can_perturb(a) and a.name in given and a.sample is None
    ]
    if not arguments:
        return CheckOutput(skipped="no input argument has content that can be replaced")
    findings: list[Finding] = []
    measured: dict[str, JsonValue] = {}
    probe = _Probe(base)
    for argument in arguments:
        findings += _judge_argument(probe, argument, measured)
    if not findings:
        findings += [*judge_segments(base), *judge_order(base, measured)]
    return CheckOutput(tuple(findings), measured)


def _judge_argument(probe: _Probe, argument: Argument, measured: dict[str, JsonValue]) -> list[Finding]:
    base, everything = probe.base, torch.ones(1, dtype=torch.bool)
    if not probe.moves(argument, everything):
        measured[f"{argument.name}_ignored"] = True
        if probe.moves_after_steps(argument, everything):
            measured[f"{argument.name}_ignored_until"] = "parameters that start at zero have moved"
            return []
        if probe.moves_with_codebooks(argument, everything):
            measured[f"{argument.name}_ignored_until"] = "codebooks that are still zero are filled"
            return []
        return [_report_ignored(base, argument)]
    dead: list[int] | list[list[int]]
    if any(size in argument.shape for size in (LENGTH, TARGET_LENGTH)):
        dead = _find_dead_positions(probe, argument)
    else:
        dead = _find_dead_regions(probe, argument)
    measured[f"{argument.name}_without_influence"] = dead
    if dead and _shifts_inside(base, argument, dead):
        measured[f"{argument.name}_shifted_inside"] = True
    elif dead:
        return [_report_dead(base, argument, dead)]
    elif argument.role == "image":
        return _judge_channels(probe, argument)
    return []


def _judge_channels(probe: _Probe, argument: Argument) -> list[Finding]:
    base = probe.base
    tensor = base.call.tensors[argument.name]
    gradient = probe.measure_gradient(argument)
    dead = []
    for channel in find_dead_channels(gradient, argument, tensor):
        where = torch.zeros([1] * (tensor.dim() - 3) + [tensor.shape[-3], 1, 1], dtype=torch.bool)
        where[..., channel, :, :] = True
        if not probe.moves(argument, where):
            dead.append((channel, where))
    if not dead:
        return []
    changed = replace_values(argument, tensor, dead[0][1], seed=base.answers.seed + 1)
    place = _locate_silence(base, base.call.with_argument(argument.name, changed))
    return [report_dead_channels(argument, [channel for channel, _ in dead], place)]


class _Probe:
    """Asks whether replacing parts of an argument moves any output, in any draw and under any seed."""

    def __init__(self, base: Baseline) -> None:
        self.base = base
        self._before: dict[int, dict[str, Tensor]] = {}
        self._gradients: dict[str, Tensor | None] = {}
        self._later: _Probe | None = None
        self._others: dict[int, tuple[Call, dict[str, Tensor]]] = {}

    def moves_after_steps(self, argument: Argument, where: Tensor) -> bool:
        """The same question after the first steps of training: a gain at zero hides what lies before it."""
        subject, seed = self.base.answers.subject, self.base.answers.seed
        if self._later is None:
            subject.model.eval()
            steps = take_first_steps(subject, self.base.call, seed)
            answers = SteadyAnswers(subject, seed, {**self.base.answers.stand_ins, **steps.values})
            self._later = _Probe(replace(self.base, answers=answers)) if steps.values else self
        return self._later is not self and self._later.moves(argument, where)

    def moves_with_codebooks(self, argument: Argument, where: Tensor) -> bool:
        """The same question once codebooks hold vectors: until a first batch fills them, all codes are one."""
        subject, seed = self.base.answers.subject, self.base.answers.seed
        filled = fill_blank_codebooks(subject.model, lambda: subject.forward(self.base.call), seed)
        if not filled:
            return False
        answers = SteadyAnswers(subject, seed, {**self.base.answers.stand_ins, **filled})
        return _Probe(replace(self.base, answers=answers)).moves(argument, where)

    def moves_in_other_inputs(self, argument: Argument, where: Tensor) -> bool:
        """The same question for inputs of other values: a maximum over the positions leaves some of them out."""
        base = self.base
        for seed in range(base.answers.seed + 1, base.answers.seed + 1 + _OTHER_INPUTS):
            if seed not in self._others:
                call = base.answers.subject.make_call(
                    batch=base.batch, length=base.length, target_length=base.target_length, seed=seed
                )
                self._others[seed] = (call, base.answers.tensors(call, seed=seed))
            call, before = self._others[seed]
            changed = replace_values(argument, call.tensors[argument.name], where, seed=seed + 1)
            after = base.answers.tensors(call.with_argument(argument.name, changed), seed=seed)
            if any(p not in after or measure_change(v, after[p]) > 0 for p, v in before.items()):
                return True
        return False

    def measure_gradient(self, argument: Argument) -> Tensor | None:
        """Where the answer has a gradient by the argument; regions and channels ask the same."""
        if argument.name not in self._gradients:
            found = _measure_gradient(self.base.answers, self.base.call, argument)
            self._gradients[argument.name] = found
        return self._gradients[argument.name]

    def moves(self, argument: Argument, where: Tensor) -> bool:
        base = self.base
        tensor = base.call.tensors[argument.name]
        for draw in range(_DRAWS):
            seed = base.answers.seed + draw
            if draw not in self._before:
                self._before[draw] = base.answers.tensors(base.call, seed=seed)
            changed = replace_values(argument, tensor, where, seed=seed + 1)
            after = base.answers.tensors(base.call.with_argument(argument.name, changed), seed=seed)
            if any(
                path not in after or measure_change(value, after[path]) > 0
                for path, value in self._before[draw].items()
            ):
                return True
        return False


def _find_dead_positions(probe: _Probe, argument: Argument) -> list[int]:
    base = probe.base
    axis = next(i for i, size in enumerate(argument.shape) if size in (LENGTH, TARGET_LENGTH))
    known = base.answers.subject.traits.influence
    length = base.call.tensors[argument.name].shape[axis]
    alive: set[int] = set()
    if known and argument.name == base.answers.subject.inputs.primary:
        alive = {j for j in range(len(known)) if any(row[j] for row in known)}
        # What was measured at a shorter length is not asked again, its last positions excepted.
        alive -= {len(known) - 1, len(known) - 2}
    dead = [
        p
        for p in range(length)
        if p not in alive and not probe.moves(argument, _at(argument, axis, p, length))
    ]
    return [p for p in dead if not probe.moves_in_other_inputs(argument, _at(argument, axis, p, length))]


def _shifts_inside(base: Baseline, argument: Argument, dead: list[int] | list[list[int]]) -> bool:
    """Whether only the last token is unread, by a model that answers with a token what came before it (MegaByte).

    No position moves its own answer there; where others do, the last one is lost.
    """
    influence = base.answers.subject.traits.influence
    if len(influence) < 3 or argument.name != base.answers.subject.inputs.primary:
        return False
    axis = next((i for i, size in enumerate(argument.shape) if size == LENGTH), None)
    last = None if axis is None else base.call.tensors[argument.name].shape[axis] - 1
    strict = not any(moved for i, row in enumerate(influence) for moved in row[i:])
    return strict and dead == [last]


def _at(argument: Argument, axis: int, position: int, length: int) -> Tensor:
    where = torch.zeros(length, dtype=torch.bool)
    where[position] = True
    shape = [1] * len(argument.shape)
    shape[axis] = -1
    return where.view(shape)


def _find_dead_regions(probe: _Probe, argument: Argument) -> list[list[int]]:
    """Regions of an image (or stretches of audio) that move nothing, as indices on a grid."""
    base = probe.base
    tensor = base.call.tensors[argument.name]
    axes = _region_axes(argument, tensor)
    if not axes:
        return []
    gradient = probe.measure_gradient(argument)
    dead = []
    for cell in _grid(len(axes)):
        where = _region(tensor, axes, cell)
        silent = gradient is None or not bool(gradient[where.expand_as(gradient)].any())
        if silent and not probe.moves(argument, where) and not probe.moves_in_other_inputs(argument, where):
            dead.append(list(cell))
    return dead


def _region_axes(argument: Argument, tensor: Tensor) -> list[int]:
    """Height and width of an image, the longest axis of anything else; short axes are not divided."""
    axes = [axis for axis in range(tensor.dim()) if argument.shape[axis] != BATCH]
    if argument.role == "image":
        axes = axes[-2:]
    elif axes:
        axes = [max(axes, key=lambda axis: tensor.shape[axis])]
    return [axis for axis in axes if tensor.shape[axis] >= 2 * _REGIONS_PER_AXIS]


def _grid(axes: int) -> list[tuple[int, ...]]:
    cells: list[tuple[int, ...]] = [()]
    for _ in range(axes):
        cells = [(*cell, index) for cell in cells for index in range(_REGIONS_PER_AXIS)]
    return cells


def _region(tensor: Tensor, axes: list[int], cell: tuple[int, ...]) -> Tensor:
    where = torch.ones([1] * tensor.dim(), dtype=torch.bool)
    for axis, index in zip(axes, cell, strict=True):
        size = tensor.shape[axis]
        along = torch.zeros(size, dtype=torch.bool)
        along[index * size // _REGIONS_PER_AXIS : (index + 1) * size // _REGIONS_PER_AXIS] = True
        shape = [1] * tensor.dim()
        shape[axis] = -1
        where = where & along.view(shape)
    return where


def _measure_gradient(answers: SteadyAnswers, call: Call, argument: Argument) -> Tensor | None:
    """Gradient of a random sum of the answer by a float argument; None where it cannot be had."""
    tensor = call.tensors[argument.name]
    if answers.stand_ins or not tensor.is_floating_point():
        return None
    leaf = tensor.detach().clone().requires_grad_(True)
    subject = answers.subject
    subject.model.eval()
    torch.manual_seed(answers.seed)
    with torch.enable_grad():
        answer = subject.outputs.select(call.with_argument(argument.name, leaf).run(subject.model))
        if not answer.requires_grad:
            return None
        weights = torch.randn(answer.shape, generator=torch.Generator().manual_seed(answers.seed)).to(answer)
        try:
            gradient = torch.autograd.grad((answer * weights).sum(), leaf, allow_unused=True)[0]
        except RuntimeError:
            return None  # the forward writes into its input, which T1-STAB tells
    return None if gradient is None else gradient.detach().cpu() != 0


def _report_ignored(base: Baseline, argument: Argument) -> Finding:
    exact = argument.role in ("tokens", "image", "audio") or len(base.answers.subject.inputs.arguments) == 1
    exact = exact and not (argument.dtype.is_floating_point and _makes_choices(base))
    call = base.call.with_argument(
        argument.name,
        replace_values(
            argument,
            base.call.tensors[argument.name],
            torch.ones(1, dtype=torch.bool),
            seed=base.answers.seed + 1,
        ),
    )
    return claim_error(
        "T1-INPUT-001",
        f"The input `{argument.name}` has no effect on the output: replacing all of it changes nothing.",
        _locate_silence(base, call),
        {"argument": argument.name, "draws": _DRAWS, "largest_change": 0.0},
        f"Use `{argument.name}` in the forward pass, and remove code that drops it, overwrites it or "
        "multiplies it by zero.",
        rests_on=Basis.INPUTS,
        at_most=Severity.ERROR if exact else Severity.WARNING,
    )


def _makes_choices(base: Baseline) -> bool:
    """Whether the forward quantises floats: at random parameters a codebook may give every input the same codes.

    It looks vectors up by indices, and the floats it was given are no indices.
    """
    probe = LookupProbe({})
    with probe:
        base.answers.forward(base.call)
    return probe.lookups.tables > 0


def _report_dead(base: Baseline, argument: Argument, dead: list[int] | list[list[int]]) -> Finding:
    tensor = base.call.tensors[argument.name]
    positions = isinstance(dead[0], int)
    last = tail = False
    if isinstance(dead[0], int):
        axis = next(i for i, size in enumerate(argument.shape) if size in (LENGTH, TARGET_LENGTH))
        length = tensor.shape[axis]
        last = dead == list(range(length - len(dead), length))
        tail = argument.role != "tokens" and last and len(dead) < length // 2
        changed = replace_position(argument, tensor, axis, dead[0], seed=base.answers.seed + 1)
    else:
        axes = _region_axes(argument, tensor)
        where = _region(tensor, axes, tuple(dead[0]))
        changed = replace_values(argument, tensor, where, seed=base.answers.seed + 1)
    what = "position(s)" if positions else f"region(s) (each axis is cut into {_REGIONS_PER_AXIS})"
    return claim_error(
        "T1-INPUT-002",
        f"Part of the input is lost: replacing `{argument.name}` at {what} {', '.join(map(str, dead[:6]))}"
        f"{' …' if len(dead) > 6 else ''} changes no output.",
        _locate_silence(base, base.call.with_argument(argument.name, changed)),
        {"argument": argument.name, "without_influence": dead, "draws": _DRAWS, "largest_change": 0.0},
        "Remove what loses this part: an assignment to a slice (`x[:, 0] = …`), a slice that is one too short, or a "
        "mask that hides it from every output.",
        rests_on=Basis.INPUTS,
        at_most=_limit(argument, last, Severity.WARNING if tail or _drowns(base) else Severity.ERROR),
    )


def _drowns(base: Baseline) -> bool:
    """Whether parameters are so large, as where memory was never initialised, that all beside them is rounded away."""
    kept = (p for p in base.answers.subject.model.parameters() if p.is_floating_point() and p.numel())
    return any(float(p.detach().abs().max()) * torch.finfo(p.dtype).eps > 1 for p in kept if not p.is_meta)


def _limit(argument: Argument, last: bool, severity: Severity) -> Severity:
    """An info where the last positions of an assumed kind of input are lost: a table of data has fewer columns."""
    return Severity.INFO if last and argument.standing is Standing.ASSUMED else severity


def _locate_silence(base: Baseline, call: Call) -> str:
    """The innermost module that is given something changed and gives back nothing changed."""
    return locate(
        base.answers.subject.model.eval(),
        base.call,
        call,
        lambda inputs, outputs: (
            any(measure_change(a, b) > 0 for a, b in inputs)
            and any(a.is_floating_point() or a.is_complex() for a, _ in outputs)
            and all(measure_change(a, b) == 0 for a, b in outputs)
        ),
        seed=base.answers.seed,
    )


CHECK = Check("T1-INPUT", "input influence", 1, run, needs=("parameter values",), cost_steps=0.4, value=78)

"""T1-DROP: stochastic depth drops whole rows, and training mode comes back after evaluation.

What it does: runs the model in training mode under several seeds, and looks at the random factors of zeros that meet
its activations. Then it compares two seeds in training mode, before and after a switch to evaluation mode and back.

Why it matters: stochastic depth that draws its mask along another axis than the batch drops the same tokens or channels
in every row. A model that loses its dropout at the first validation overfits from then on, and no error shows it.

Evidence: the axis along which the factor varies, with its size and that of the batch; the difference between the
outputs under two seeds.

Exemptions: masks that vary along several axes (dropout of elements, channels or words), masks that are equal under
every seed (padding), activations without an axis of the batch's size (windows, merged axes), and models that draw no
random numbers in training.

Findings:
    T1-DROP-001 warning: stochastic depth draws its mask along an axis that is not the batch axis.
    T1-DROP-002 error: training mode is random at first, but no longer after a switch to evaluation mode and back.
        Four seeds must give exactly the same output (T1-MODE-001 compares two passes up to rounding, and names the
        module).

Source: Huang et al. 2016 (arXiv 1603.09382): each sample draws its own depth. The contract of nn.Module.train.
"""

from __future__ import annotations

import torch
from torch import Tensor

from tierproof.checks.check import Check, CheckContext, CheckOutput
from tierproof.checks.claim import claim_error
from tierproof.core.finding import Finding, Severity
from tierproof.core.json_value import JsonValue
from tierproof.model.call.call import Call, raised_in_a_call
from tierproof.model.call.random_draws import may_have_drawn
from tierproof.model.compare.comparison import measure_change
from tierproof.model.compare.short_call import find_short_length
from tierproof.model.describe.basis import Basis
from tierproof.model.describe.subject import Subject
from tierproof.model.observe.random_factors import KeepFactor, find_keep_factors

CODE = "T1-DROP"
# A mask of few zeros is all ones under many seeds.
_SEEDS = 4
# Distinct from usual widths, head counts and numbers of patches.
_ROWS = 5


def run(context: CheckContext) -> CheckOutput:
    """Run the check."""
    subject = context.subject
    if not subject.inputs.has_batch:
        return CheckOutput(skipped="the inputs have no batch axis")
    call = _find_call(subject, context.seed)
    if isinstance(call, str):
        return CheckOutput(skipped=call)
    before = _measure_randomness(subject, call, context.seed)
    if before == 0.0:
        return CheckOutput(measurements={"change_between_seeds": 0.0})
    findings = _judge_factors(subject, call, context.seed)
    subject.model.eval()
    with torch.no_grad():
        subject.forward(call)
    after = _measure_randomness(subject, call, context.seed)
    measured: dict[str, JsonValue] = {
        "change_between_seeds": before,
        "change_between_seeds_after_evaluation": after,
    }
    if after == 0.0:
        findings.append(_report_lost(before))
    return CheckOutput(tuple(findings), measured)


def _find_call(subject: Subject, seed: int) -> Call | str:
    """A call of five short rows that runs in training mode, else of the default rows or length."""
    error: Exception | None = None
    inputs = subject.inputs
    short = find_short_length(inputs)
    for rows, length in dict.fromkeys(((_ROWS, short), (_ROWS, None), (inputs.default_batch, None))):
        call = subject.make_call(batch=rows, length=length, seed=seed)
        subject.model.train()
        try:
            with torch.no_grad():
                subject.forward(call)
        except Exception as raised:
            if not (isinstance(raised, RuntimeError) or raised_in_a_call(raised)):
                raise
            error = raised
            continue
        return call
    return f"the forward raises in training mode: {type(error).__name__}: {str(error)[:120]} (see T1-GRAD)"


def _measure_randomness(subject: Subject, call: Call, seed: int) -> float:
    """How far the answers of two seeds lie apart in training mode; statistics of norms are put back between."""
    kept = {name: buffer.detach().clone() for name, buffer in subject.model.named_buffers()}
    subject.model.train()
    first: Tensor | None = None
    for turn in range(_SEEDS):
        torch.manual_seed(seed + turn)
        state = torch.get_rng_state()
        with torch.no_grad():
            answer = subject.outputs.follow(subject.forward(call)).clone()
            draws = may_have_drawn(subject.device, state)
            for name, buffer in subject.model.named_buffers():
                if name in kept and kept[name].shape == buffer.shape:
                    buffer.copy_(kept[name])
        if first is None:
            first = answer
        elif (change := measure_change(first, answer)) > 0.0 or not draws:
            return change
    return 0.0


def _judge_factors(subject: Subject, call: Call, seed: int) -> list[Finding]:
    rows = call.tensors[subject.inputs.primary].shape[subject.inputs.batch_axis]
    runs: list[list[KeepFactor]] = []
    subject.model.train()
    for turn in range(_SEEDS):
        torch.manual_seed(seed + turn)
        with torch.enable_grad():
            runs.append(find_keep_factors(subject.model, lambda: subject.forward(call)))
    seen = [factor for found in runs for factor in found]
    wrong = [factor for factor in seen if _is_along_another_axis(factor, rows)]
    # What is drawn differs between seeds; what follows from the inputs, such as a padding mask, does not.
    drawn = [
        f for f in wrong if any(o.path == f.path and o.shape == f.shape and o.kept != f.kept for o in wrong)
    ]
    if not drawn:
        return []
    first = min(drawn, key=lambda factor: factor.turn)
    axis = first.axes[0]
    return [
        Finding(
            f"{CODE}-001",
            Severity.WARNING,
            f"Stochastic depth draws one random number for each entry of axis {axis} (size {first.shape[axis]}), but "
            f"the batch axis is {first.shape.index(rows)}: every row loses the same positions or channels, and no row "
            "skips the branch as a whole.",
            first.path,
            {"axis": axis, "batch_axis": first.shape.index(rows), "shape": list(first.shape)},
            "Draw one random number for each row: give the mask the batch size on the batch axis, and size 1 on all "
            "other axes.",
        )
    ]


def _is_along_another_axis(factor: KeepFactor, rows: int) -> bool:
    """Whether a factor varies along one axis only, which is not the batch, while the batch is another axis."""
    if len(factor.axes) != 1 or len(factor.shape) < 3:
        return False
    along = factor.shape[factor.axes[0]]
    return along % rows != 0 and factor.shape.count(rows) == 1


def _report_lost(before: float) -> Finding:
    return claim_error(
        f"{CODE}-002",
        "In training mode the outputs are random, but after `eval()` and `train()` they no longer are: dropout stays "
        "off after the first validation.",
        "",
        {"change_between_seeds": before, "after_evaluation": 0.0},
        "Let `train(mode)` set everything that `eval()` switches off, and call `super().train(mode)`.",
        rests_on=Basis.RUN,
    )


CHECK = Check(
    CODE,
    "dropout and stochastic depth",
    1,
    run,
    needs=("parameter values", "trainable parameters"),
    cost_steps=0.7,
    value=54,
)

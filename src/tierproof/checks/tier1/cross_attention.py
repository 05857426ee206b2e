"""T1-CROSS: a decoder listens to its encoder, and to its own input.

What it does: in models of two sequences, replaces the encoder's input and then the decoder's, and asks whether
the answer moves.

Why it matters: a cross-attention that takes keys and values from the decoder's own states trains to a
plausible language model that never looks at the source.

Evidence: the change of the answer, which is exactly zero where nothing gets through.

Exemptions: gates that are closed at initialisation (parameters that are zero throughout) are opened first, on
stand-ins, so that a path that only waits for training is no finding.

Source: exact for encoder–decoder models (Vaswani et al. 2017, section 3.2.3).
"""

from __future__ import annotations

import torch

from tierproof.checks.check import Check, CheckContext, CheckOutput
from tierproof.core.finding import Finding, Severity
from tierproof.core.json_value import JsonValue
from tierproof.model.activation_trace import trace_activations
from tierproof.model.call import Call
from tierproof.model.comparison import measure_change
from tierproof.model.inputs import BATCH, Argument
from tierproof.model.locate import CallPair, pair_calls
from tierproof.model.perturb import can_perturb, find_followed_argument, replace_values
from tierproof.model.steady_answer import Baseline, SteadyAnswers, find_baseline


def run(context: CheckContext) -> CheckOutput:
    """Run the check."""
    subject = context.subject
    if not subject.traits.encoder_decoder:
        return CheckOutput(skipped="the model has no encoder and decoder")
    decoder_input = find_followed_argument(subject.inputs.arguments, subject.outputs)
    if decoder_input is None:
        return CheckOutput(skipped="the answer follows no input of the decoder")
    base = find_baseline(subject, context.seed, batch=2)
    if isinstance(base, str):
        return CheckOutput(skipped=base)
    sources = [
        a
        for a in subject.inputs.arguments
        if a.name != decoder_input.name
        and a.name in base.call.tensors
        and BATCH in a.shape
        and can_perturb(a)
    ]
    if not sources:
        return CheckOutput(skipped="the encoder's input is not among the arguments that can be replaced")
    measured: dict[str, JsonValue] = {}
    source_call, source_change = _replace(base, sources)
    target_call, target_change = _replace(base, [decoder_input])
    measured |= {"encoder_input_change": source_change, "decoder_input_change": target_change}
    findings = []
    if source_change == 0:
        findings.append(
            Finding(
                "T1-CROSS-001",
                Severity.ERROR,
                "The decoder does not listen to the encoder: replacing all of "
                f"{', '.join(a.name for a in sources)} changes no output.",
                _locate_deafness(base, source_call),
                {"encoder_input_change": 0.0, "decoder_input_change": target_change},
                "Give the cross-attention the encoder's states as keys and values (memory), not the decoder's own.",
            )
        )
    if target_change == 0:
        findings.append(
            Finding(
                "T1-CROSS-002",
                Severity.ERROR,
                f"The decoder does not listen to its own input: replacing all of {decoder_input.name} changes no "
                "output.",
                _locate_deafness(base, target_call),
                {"encoder_input_change": source_change, "decoder_input_change": 0.0},
                f"Find where {decoder_input.name} is dropped or overwritten.",
            )
        )
    return CheckOutput(tuple(findings), measured)


def _replace(base: Baseline, arguments: list[Argument]) -> tuple[Call, float]:
    """Replace whole arguments; where nothing moves, try again with every closed gate opened."""
    call = base.call
    everywhere = torch.ones(1, dtype=torch.bool)
    for argument in arguments:
        tensor = call.tensors[argument.name]
        changed = replace_values(argument, tensor, everywhere, seed=base.answers.seed + 1)
        call = call.with_argument(argument.name, changed)
    change = measure_change(base.answer, base.answers(call))
    if change == 0:
        opened: SteadyAnswers = base.answers.with_zeros_filled()
        change = measure_change(opened(base.call), opened(call))
    return call, change


def _locate_deafness(base: Baseline, call: Call) -> str:
    """The first module, in order of completion, that is given what changed and gives back what did not.

    Where none is (the changed states are never handed on), it is the decoder's innermost container.
    """
    model = base.answers.subject.model.eval()
    pairs = pair_calls(
        trace_activations(model, base.call, seed=base.answers.seed),
        trace_activations(model, call, seed=base.answers.seed),
    )
    return next((pair.path for pair in pairs if _is_deaf(pair)), "")


def _is_deaf(pair: CallPair) -> bool:
    heard = any(a.is_floating_point() and measure_change(a, b) > 0 for a, b in pair.inputs)
    return heard and bool(pair.outputs) and all(measure_change(a, b) == 0 for a, b in pair.outputs)


CHECK = Check("T1-CROSS", "cross-attention", 1, run)

"""T1-ALSO: asking for hidden states or attention maps changes no output, and the hidden states are those of the layers.

What it does: passes each optional flag that asks for more outputs (`output_hidden_states`, `output_attentions` and
their like), compares the main output with the one without the flag, and compares the hidden states with each other.

Why it matters: a flag often makes the model run other code, with another mask, scale or dropout. Hidden states that
repeat the embedding, or lack the last layer, mislead every probe that is trained on them.

Evidence: the change of the main output relative to its spread; which entries of the hidden states are equal.

Exemptions: models of transformers, which tests this itself, and hidden states of a single layer.

Findings:
    T1-ALSO-001 error: asking for more outputs changes the main output.
    T1-ALSO-002 error: hidden states of different layers are bit-equal.
    T1-ALSO-003 warning: the last hidden state is not the one that the model returns as its output.

Source: the outputs of transformers' models, as documented: one hidden state for the embedding and one for each layer.
"""

from __future__ import annotations

from dataclasses import replace

import torch
from torch import Tensor

from tierproof.checks.check import Check, CheckContext, CheckOutput
from tierproof.checks.claim import claim_error
from tierproof.core.finding import Finding, Severity
from tierproof.core.json_value import JsonValue
from tierproof.model.call.call import Call
from tierproof.model.call.forward_signature import read_signature
from tierproof.model.call.outputs import iterate_tensors
from tierproof.model.call.propose.transformers_inputs import is_transformers_model
from tierproof.model.compare.comparison import measure_change
from tierproof.model.compare.locate import locate_first_divergence
from tierproof.model.compare.steady_answer import Baseline, find_baseline
from tierproof.model.describe.basis import Basis

_FLAGS = (
    "output_hidden_states",
    "output_attentions",
    "return_hidden_states",
    "return_hidden",
    "return_hiddens",
    "return_attention",
    "return_attentions",
    "return_attn",
    "return_weights",
    "need_weights",
)
# Another order of sums, as between fused and plain attention, is no other answer.
_FACTOR = 10.0


def run(context: CheckContext) -> CheckOutput:
    """Run the check."""
    subject = context.subject
    if is_transformers_model(subject.model):
        return CheckOutput(skipped="transformers tests the optional outputs of its models itself")
    signature = read_signature(subject.model)
    flags = [name for name in _FLAGS if name in signature.optional]
    if not flags:
        return CheckOutput(skipped="the forward takes no flag that asks for more outputs")
    base = find_baseline(subject, context.seed, batch=2)
    if isinstance(base, str):
        return CheckOutput(skipped=base)
    findings: list[Finding] = []
    measured: dict[str, JsonValue] = {}
    for flag in flags:
        call = replace(base.call, constants={**base.call.constants, flag: True})
        try:
            output = base.answers.forward(call)
        except Exception as error:  # noqa: BLE001 - a flag of another meaning is measured only
            measured[flag] = f"raises {type(error).__name__}: {str(error)[:120]}"
            continue
        findings += _judge_answer(base, call, flag, output, measured)
        findings += _judge_states(base, output)
    return CheckOutput(tuple(findings), measured)


def _judge_answer(
    base: Baseline, call: Call, flag: str, output: object, measured: dict[str, JsonValue]
) -> list[Finding]:
    answer = _find_answer(base, output)
    if answer is None or answer.shape != base.answer.shape:
        return []
    change = measure_change(base.answer, answer)
    measured[flag] = change
    if change <= _FACTOR * base.tolerance:
        return []
    where = locate_first_divergence(
        base.answers.subject.model,
        base.call,
        call,
        lambda a, b: a.shape == b.shape and measure_change(a, b) > base.tolerance,
        seed=base.answers.seed,
    )
    return [
        claim_error(
            "T1-ALSO-001",
            f"`{flag}=True` changes the output by {change:.2g} standard deviations.",
            where,
            {"flag": flag, "relative_change": change},
            f"Compute the output in the same way whether or not `{flag}` is set, with the same mask, scale and "
            "dropout, and only return more.",
            rests_on=Basis.INPUTS,
        )
    ]


def _find_answer(base: Baseline, output: object) -> Tensor | None:
    """The answer by its path; with more outputs, a bare tensor becomes the first of a tuple."""
    tensors = dict(iterate_tensors(output))
    main = base.answers.subject.outputs.main
    return tensors.get(main, tensors.get("0"))


def _judge_states(base: Baseline, output: object) -> list[Finding]:
    states = [
        tensor
        for path, tensor in iterate_tensors(output)
        if path.rpartition(".")[0].endswith("hidden_states") and tensor.is_floating_point()
    ]
    if len(states) < 3 or any(state.shape != states[0].shape for state in states):
        return []
    same = [place for place in range(1, len(states)) if torch.equal(states[place], states[place - 1])]
    if same:
        return [
            claim_error(
                "T1-ALSO-002",
                f"{len(same)} of {len(states) - 1} hidden states are bit-equal to the one before them, so they are "
                "not what the layers returned.",
                "",
                {"equal_to_the_one_before": same[:20], "hidden_states": len(states)},
                "In the loop over the layers, append what each layer returned to the hidden states.",
                rests_on=Basis.INPUTS,
                at_most=Severity.WARNING,
            )
        ]
    last = dict(iterate_tensors(output)).get("last_hidden_state")
    if last is None or last.shape != states[-1].shape or measure_change(last, states[-1]) <= base.tolerance:
        return []
    return [
        Finding(
            "T1-ALSO-003",
            Severity.WARNING,
            "The last of the hidden states is not `last_hidden_state`: it lacks the last layer, or the norm after that "
            "layer.",
            "",
            {"relative_change": measure_change(last, states[-1]), "hidden_states": len(states)},
            "Append the final output after the loop over the layers.",
        )
    ]


CHECK = Check("T1-ALSO", "optional outputs", 1, run, needs=("parameter values",), cost_steps=0.3, value=50)

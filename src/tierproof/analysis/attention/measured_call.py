"""The call that the attention of a model is shown on: one row of what it was measured on."""

from __future__ import annotations

import torch

from tierproof.analysis.attention.attention_figures import ModelAttention
from tierproof.analysis.attention.measure_attention import list_repeats
from tierproof.analysis.examples.example_set import ExampleSet
from tierproof.model.call.call import Call
from tierproof.model.describe.subject import Subject


def choose_measured_call(subject: Subject, examples: ExampleSet, measured: ModelAttention, seed: int) -> Call:
    """The first example, or the random tokens that repeat, where they were measured on those."""
    if examples.given or measured.period is None:
        return examples.calls[0]
    for call, _ in list_repeats(subject, seed, rows=1):
        try:
            with torch.no_grad():
                subject.forward(call)
        except Exception:  # noqa: BLE001 - sizes that the model refuses, as when it was measured
            continue
        return call
    return examples.calls[0]

"""`tierproof.capacity`: how much of a model is in use, beside a fresh instance of it and another model."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tierproof._optional import require

if TYPE_CHECKING:
    from torch import nn

    from tierproof.api.analysis.capacity_view import CapacityView
    from tierproof.model.call.spec import ModelSpec


def capacity(
    model: nn.Module | str,
    reference: nn.Module | str | None = None,
    examples: Any = None,
    *,
    tokenizer: Any = None,
    twin: bool = True,
    spec: ModelSpec | None = None,
    seed: int = 0,
) -> CapacityView:
    """Measure ranks, residual stream, logit lens, units, embeddings and experts in a few forward passes.

    The same is measured of a freshly initialised instance of the model's class, so that what training did can be told
    from what the architecture does. The model is left as it came, bit for bit.

    Args:
        model: an nn.Module, or a TARGET as on the command line.
        reference: another model to compare with, such as an earlier checkpoint; layers of the same path are compared.
        examples: texts with a `tokenizer`, lists of token ids, tensors or batches. None for random inputs.
        tokenizer: turns texts into token ids.
        twin: whether to build the fresh instance; it doubles the cost and takes as much memory as the model.
        spec: what you declare about the model.
        seed: of every random draw.

    Returns:
        a view with `own`, `twin` and `reference` (figures), `unusual` (what stands out), `figure()`, `save()` and
        `to_dict()`.

    Raises:
        TierproofError: a model cannot be loaded or called, or an example is no input of it; the message says what to
            do.
    """
    require("torch", feature="to measure capacity")
    from tierproof.analysis.capacity.compare_capacity import add_reference, measure_capacity
    from tierproof.analysis.capacity.measure_capacity import measure_figures
    from tierproof.analysis.examples.given_examples import collect_examples
    from tierproof.api.analysis.capacity_view import CapacityView
    from tierproof.api.analysis.open_subject import open_subject

    given = collect_examples(examples, tokenizer)
    with open_subject(model, given, spec=spec, seed=seed) as opened:
        measured = measure_capacity(
            opened.subject, opened.examples, seed=seed, twin=twin, keep_interrupted=True
        )
    if reference is not None:
        with open_subject(reference, given, spec=spec, seed=seed) as opened:
            figures = measure_figures(opened.subject, opened.examples, seed=seed)
            measured = add_reference(measured, figures, type(opened.subject.model).__name__)
    return CapacityView(measured)

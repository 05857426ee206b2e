"""`tierproof.robustness`: how much of a model's answers is left when its inputs or its precision change."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Literal

from tierproof._optional import require

if TYPE_CHECKING:
    from torch import nn

    from tierproof.api.analysis.robustness_view import RobustnessView
    from tierproof.model.call.spec import ModelSpec

_RANDOM_ROWS = 16


def robustness(
    model: nn.Module | str,
    examples: Any = None,
    *,
    tokenizer: Any = None,
    labels: Any = None,
    strengths: Mapping[str, Sequence[float]] | None = None,
    answer: Literal["class", "vector"] | None = None,
    spec: ModelSpec | None = None,
    seed: int = 0,
    budget_s: float | None = None,
) -> RobustnessView:
    """Measure how many answers survive each perturbation. The model is left as it came, bit for bit.

    Token ids are swapped, dropped, inserted, reordered, cut off and padded; texts get typing errors; embeddings get
    noise relative to their own spread; real values get noise, a shift and brightness; and every model runs in
    bfloat16, float16 and with int8 linear layers. By default that is about 22 forward passes for each example.

    Args:
        model: an nn.Module, or a TARGET as on the command line.
        examples: texts with a `tokenizer`, lists of token ids, tensors or batches. None for 16 random rows.
        tokenizer: turns texts into token ids; with it, typing errors are measured too.
        labels: the right class of each example, as a number. Without them an answer is kept where it is the model's
            own answer to the unchanged input.
        strengths: of each perturbation by name, instead of the default ones, such as `{"swap": (0.1, 0.2)}`; an empty
            tuple leaves one out. Shares of tokens or words, or sizes relative to the values' own spread.
        answer: what a pooled output is, where it could be either: scores of classes, or a vector.
        spec: what you declare about the model.
        seed: of every random draw.
        budget_s: seconds after which no further pass is begun; what was measured until then is given, as after Ctrl-C.

    Returns:
        a view with `perturbations` (figures with 95% intervals), `figure()`, `save()` and `to_dict()`.

    Raises:
        TierproofError: the model cannot be loaded or called, its outputs cannot be compared, or labels do not fit.
    """
    require("torch", feature="to measure robustness")
    from tierproof.analysis.examples.given_examples import collect_examples
    from tierproof.analysis.examples.random_rows import draw_rows
    from tierproof.analysis.robustness.measure_robustness import measure_robustness
    from tierproof.api.analysis.open_subject import open_subject
    from tierproof.api.analysis.robustness_view import RobustnessView
    from tierproof.api.analysis.spend_budget import spend_budget

    given = collect_examples(examples, tokenizer, labels)
    with open_subject(model, given, spec=spec, seed=seed) as opened, spend_budget(budget_s):
        rows = opened.examples if given is not None else draw_rows(opened.subject, _RANDOM_ROWS, seed)
        return RobustnessView(
            measure_robustness(
                opened.subject, rows, strengths=strengths, answer=answer, seed=seed, keep_interrupted=True
            )
        )

"""`tierproof.adversarial`: how few tokens turn a model's answers, led by gradients and at random."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any, Literal

from tierproof._optional import require

if TYPE_CHECKING:
    from torch import nn

    from tierproof.api.analysis.adversarial_view import AdversarialView
    from tierproof.model.call.spec import ModelSpec

_RANDOM_ROWS = 8


def adversarial(
    model: nn.Module | str,
    examples: Any = None,
    *,
    tokenizer: Any = None,
    labels: Any = None,
    passes: int = 64,
    most_changed: float = 0.3,
    answer: Literal["class", "vector"] | None = None,
    spec: ModelSpec | None = None,
    seed: int = 0,
    budget_s: float | None = None,
) -> AdversarialView:
    """Search for tokens that turn each answer. The model is left as it came, bit for bit.

    HotFlip (Ebrahimi et al. 2018), greedy coordinate gradient (Zou et al. 2023) and random search get equally many
    forward passes, in which a backward pass counts as two. With a tokenizer only inputs are tried that it decodes and
    encodes to themselves; special tokens are neither replaced nor put in.

    Args:
        model: an nn.Module that reads token ids, or a TARGET as on the command line.
        examples: texts with a `tokenizer`, lists of token ids, tensors or batches. None for 8 random rows.
        tokenizer: turns texts into token ids, and back.
        labels: the right class of each example, as a number; rows that the model gets wrong are left out. Without them
            the model's own answer is to be turned.
        passes: forward passes for each search on each example; from 12 on, each search can take a step.
        most_changed: the share of an example's tokens that may be changed; at least one may.
        answer: what a pooled output is, where it could be either: scores of classes, or a vector.
        spec: what you declare about the model.
        seed: of every random draw.
        budget_s: seconds after which no further pass is begun; what was found until then is given, as after Ctrl-C.

    Returns:
        a view with `searches`, `rows`, `figure()` (the success curves), `save()` and `to_dict()`.

    Raises:
        TierproofError: the model cannot be loaded or called, reads no tokens, or its answer is no class.
    """
    require("torch", feature="to search for adversarial tokens")
    from tierproof.analysis.adversarial.measure_adversarial import measure_adversarial
    from tierproof.analysis.examples.given_examples import collect_examples
    from tierproof.analysis.examples.random_rows import draw_rows
    from tierproof.api.analysis.adversarial_view import AdversarialView
    from tierproof.api.analysis.open_subject import open_subject
    from tierproof.api.analysis.spend_budget import spend_budget
    from tierproof.errors import UsageError

    if passes < 1 or not 0 < most_changed <= 1:
        raise UsageError(
            f"passes is {passes} and most_changed is {most_changed}",
            hint="Pass at least 1 pass, and a share above 0 and up to 1.",
        )
    given = collect_examples(examples, tokenizer, labels)
    with open_subject(model, given, spec=spec, seed=seed) as opened, spend_budget(budget_s):
        rows = opened.examples if given is not None else draw_rows(opened.subject, _RANDOM_ROWS, seed)
        search = partial(
            measure_adversarial, passes=passes, most_changed=most_changed, answer=answer, seed=seed
        )
        return AdversarialView(search(opened.subject, rows, keep_interrupted=True))

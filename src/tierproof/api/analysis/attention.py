"""`tierproof.attention`: what every head of a model attends to, without eager attention and without an adapter."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tierproof._optional import require

if TYPE_CHECKING:
    from torch import nn

    from tierproof.api.analysis.attention_view import AttentionView
    from tierproof.model.call.spec import ModelSpec


def attention(
    model: nn.Module | str,
    examples: Any = None,
    *,
    tokenizer: Any = None,
    spec: ModelSpec | None = None,
    seed: int = 0,
) -> AttentionView:
    """Measure every attention head in one forward pass. The model is left as it came, bit for bit.

    Attention that is written out, fused (`scaled_dot_product_attention`) or inside `nn.MultiheadAttention` is read as
    it is computed, in blocks: no map is kept, and nothing is switched to eager.

    Args:
        model: an nn.Module, or a TARGET as on the command line.
        examples: texts with a `tokenizer`, lists of token ids, tensors or batches. None for random inputs; random
            tokens are repeated once, which shows induction heads.
        tokenizer: turns texts into token ids.
        spec: what you declare about the model.
        seed: of every random draw.

    Returns:
        a view with `patterns` (figures of each head), `figure()`, `save()` and `to_dict()`.

    Raises:
        TierproofError: the model cannot be loaded or called; the message says what to do.
    """
    require("torch", feature="to measure attention")
    from tierproof.analysis.attention.measure_attention import measure_attention
    from tierproof.analysis.examples.given_examples import collect_examples
    from tierproof.api.analysis.attention_view import AttentionView
    from tierproof.api.analysis.open_subject import open_subject

    with open_subject(model, collect_examples(examples, tokenizer), spec=spec, seed=seed) as opened:
        return AttentionView(measure_attention(opened.subject, opened.examples, seed=seed))

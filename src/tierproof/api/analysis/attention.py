"""`tierproof.attention`: what every head of a model attends to, without eager attention and without an adapter."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tierproof._optional import require

if TYPE_CHECKING:
    from torch import nn

    from tierproof.api.analysis.attention_view import AttentionView
    from tierproof.model.call.spec import ModelSpec

_INTERRUPTED = "maps and rollout: the run was interrupted; the figures of the heads are whole"


def attention(
    model: nn.Module | str,
    examples: Any = None,
    *,
    tokenizer: Any = None,
    maps: bool | None = None,
    spec: ModelSpec | None = None,
    seed: int = 0,
) -> AttentionView:
    """Measure every attention head in one forward pass. The model is left as it came, bit for bit.

    Attention that is written out, fused (`scaled_dot_product_attention`) or inside `nn.MultiheadAttention` is read as
    it is computed, in blocks, and nothing is switched to eager. The figures need no map; maps are kept for showing
    only, as one byte a weight, in a second pass over the first row of the first example.

    Args:
        model: an nn.Module, or a TARGET as on the command line.
        examples: texts with a `tokenizer`, lists of token ids, tensors or batches. None for random inputs; random
            tokens are repeated once, which shows induction heads.
        tokenizer: turns texts into token ids.
        maps: whether the heads are shown with their maps. None: where no operation has more than 256 queries or keys,
            as many as fit into 2.5 MiB (144 heads at a length of 128), so that a page stays below 3 MB. True: up to
            12 MiB, longer ones pooled to 256 × 256. What was pooled or left out, the page says.
        spec: what you declare about the model.
        seed: of every random draw.

    Returns:
        a view with `patterns` (figures of each head), `maps`, `rollout`, `flow()`, `figure()`, `save()` and
        `to_dict()`.

    Raises:
        TierproofError: the model cannot be loaded or called; the message says what to do.
    """
    require("torch", feature="to measure attention")
    from tierproof.analysis.attention.attention_maps_capture import keep_maps
    from tierproof.analysis.attention.measure_attention import measure_attention
    from tierproof.analysis.attention.paths.attention_rollout import RolledOut
    from tierproof.analysis.examples.given_examples import collect_examples
    from tierproof.api.analysis.attention_view import AttentionView
    from tierproof.api.analysis.open_subject import open_subject

    with open_subject(model, collect_examples(examples, tokenizer), spec=spec, seed=seed) as opened:
        measured = measure_attention(opened.subject, opened.examples, seed=seed, keep_interrupted=True)
        try:
            kept, rolled = keep_maps(opened.subject, opened.examples, measured, wanted=maps, seed=seed)
        except KeyboardInterrupt:
            kept, rolled = None, RolledOut(left_out=(_INTERRUPTED,))
    return AttentionView(measured, kept, rolled)

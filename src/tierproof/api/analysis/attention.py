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
    spec: ModelSpec | None = None,
    seed: int = 0,
) -> AttentionView:
    """Measure every attention head in one forward pass. The model is left as it came, bit for bit.

    Attention that is written out, fused (`scaled_dot_product_attention`) or inside `nn.MultiheadAttention` is read as
    it is computed, in blocks: no map is kept, and nothing is switched to eager.

    Args:
        model: an nn.Module, or a TARGET as on the command line.
        examples: inputs as for `tierproof.check`: a tensor, a tuple, a dict, or a function that returns one. None for
            random inputs; random tokens are repeated once, which shows induction heads.
        spec: what you declare about the model.
        seed: of every random draw.

    Returns:
        a view with `patterns` (figures of each head), `figure()`, `save()` and `to_dict()`.

    Raises:
        TierproofError: the model cannot be loaded or called; the message says what to do.
    """
    require("torch", feature="to measure attention")
    from tierproof.analysis.attention.measure_attention import measure_attention
    from tierproof.api.analysis.attention_view import AttentionView
    from tierproof.api.load_model import load_model
    from tierproof.model.describe.given_model import refuse_cycle, refuse_uncheckable, unwrap_model
    from tierproof.model.describe.prepare_subject import prepare_subject
    from tierproof.model.preserve.preserve import preserve
    from tierproof.model.sizes.wide_products import widen_products

    loaded = load_model(model, seed)
    module = unwrap_model(loaded.model).model
    refuse_uncheckable(module)
    refuse_cycle(module)
    with loaded.scope, preserve(module) as snapshot, widen_products(module):
        subject = prepare_subject(module, target=loaded.target, spec=spec, inputs=examples, seed=seed)
        snapshot.restore(full=False)
        return AttentionView(measure_attention(subject, seed=seed, repeat=examples is None))

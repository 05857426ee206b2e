"""How large the attention page is: 12 layers with 12 heads of GPT-2's shape, every head with its map."""

from __future__ import annotations

import gzip

from table import format_table

LENGTHS = (32, 64, 128, 256)
HEADS = 144
# At this length a page with all maps, and one without any, may have so many bytes.
BAR_LENGTH, MOST_BYTES, MOST_BYTES_WITHOUT = 128, 3_000_000, 500_000
# bertviz 1.4.1's head_view of random causal maps of the same shape, as it was measured once; see the note.
_BERTVIZ_MB = {32: 3.8, 64: 15.2, 128: 61.0, 256: 246.0}


def run() -> tuple[str, bool]:
    """The table, and whether both bars are met."""
    import torch
    import transformers

    import tierproof as tp

    torch.manual_seed(0)
    model = transformers.GPT2LMHeadModel(transformers.GPT2Config()).eval()
    rows, met = [], True
    for length in LENGTHS:
        tokens = torch.randint(0, 50000, (1, length), generator=torch.Generator().manual_seed(length))
        view = tp.attention(model, tokens, maps=True)
        page = view._repr_html_().encode()
        bare = tp.attention(model, tokens, maps=False)._repr_html_().encode()
        assert view.maps is not None
        assert view.maps.kept == HEADS
        if length == BAR_LENGTH:
            met = len(page) <= MOST_BYTES and len(bare) <= MOST_BYTES_WITHOUT
        rows.append(
            (
                str(length),
                f"{view.maps.largest_error:.4f}",
                f"{len(page) / 1e6:.2f}",
                f"{len(gzip.compress(page)) / 1e6:.2f}",
                f"{len(bare) / 1e3:.0f}",
                f"{_BERTVIZ_MB[length]:.1f}",
            )
        )
    head = ("length", "largest error", "page MB", "gzip MB", "without maps kB", "BertViz MB")
    notes = (
        f"GPT-2 124M at random initialisation, {HEADS} heads. Bars at length {BAR_LENGTH}: {MOST_BYTES / 1e6:.0f} MB "
        f"with maps, {MOST_BYTES_WITHOUT / 1e3:.0f} kB without: {'met' if met else 'MISSED'}.\n"
        "The column of BertViz was measured apart, on random causal maps of the same shape, which compress worse than "
        "these."
    )
    return f"{format_table(head, rows)}\n{notes}", met

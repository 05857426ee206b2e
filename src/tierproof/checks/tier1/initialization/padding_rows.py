"""T1-INIT-009: the row of a padding index that holds random values, which no gradient changes."""

from __future__ import annotations

from torch import nn

from tierproof.core.finding import Finding, Severity
from tierproof.model.describe.library_class import is_library_class


def judge_padding_rows(model: nn.Module) -> list[Finding]:
    """Find embeddings of a fresh model whose padding row is not zero; `nn.Embedding` itself makes it zero."""
    wrong: dict[str, nn.Embedding] = {}
    for path, module in model.named_modules():
        if not isinstance(module, nn.Embedding) or module.padding_idx is None or module.weight.is_meta:
            continue
        if bool(module.weight.detach()[module.padding_idx].any()):
            wrong[path] = module
    if not wrong:
        return []
    path, module = next(iter(wrong.items()))
    row = module.weight.detach()[module.padding_idx]
    return [
        Finding(
            "T1-INIT-009",
            Severity.INFO if is_library_class(model, path) else Severity.WARNING,
            f"The padding row {module.padding_idx} of `{path}` holds random values that training never changes, "
            "because the row at `padding_idx` gets no gradient. Your own initialisation has overwritten its zeros.",
            path,
            {"row": module.padding_idx, "largest": float(row.abs().max()), "embeddings": len(wrong)},
            "Set the row to zero after your own initialisation: `weight[padding_idx].zero_()` under `torch.no_grad()`.",
        )
    ]

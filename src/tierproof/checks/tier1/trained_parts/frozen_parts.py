"""Find a stack of layers that is frozen although its weights are freshly drawn: it can never learn."""

from __future__ import annotations

from collections.abc import Collection

from torch import nn

from tierproof.core.finding import Finding, Severity
from tierproof.model.describe.repeated_blocks import find_repeated_blocks
from tierproof.model.observe.weight_statistics import fingerprint, looks_trained

# With fewer trainable parameters than this share, an adapter is trained on weights that are loaded later.
_ADAPTER = 0.2


def judge_frozen_parts(model: nn.Module, entered: Collection[str]) -> list[Finding]:
    """Judge each largest part that is wholly frozen, holds whole blocks of a stack, and ran.

    Left out are parts that look trained, copies of a trainable part (a teacher, an average), and models of which only a
    small share is trainable.

    Args:
        entered: paths of the modules that ran.
    """
    sizes = {True: 0, False: 0}
    for parameter in model.parameters():
        sizes[parameter.requires_grad] += parameter.numel()
    if not sizes[False] or sizes[True] < _ADAPTER * (sizes[True] + sizes[False]):
        return []
    blocks = find_repeated_blocks(model)
    frozen: list[str] = []
    for path, module in model.named_modules():
        inside = any(path.startswith(f"{part}.") for part in frozen)
        holds = any(block == path or block.startswith(f"{path}.") for block in blocks)
        parameters = list(module.parameters())
        if not inside and holds and parameters and not any(p.requires_grad for p in parameters):
            frozen.append(path)
    fresh = [
        path
        for path in frozen
        if path in entered
        and not looks_trained(model.get_submodule(path))
        and not _is_copy(model, model.get_submodule(path))
    ]
    if not fresh:
        return []
    count = sum(p.numel() for path in fresh for p in model.get_submodule(path).parameters())
    return [
        Finding(
            "T1-PART-005",
            Severity.WARNING,
            f"`{fresh[0]}` is frozen, but its weights are freshly initialised: its {count:,} parameters stay random.",
            fresh[0],
            {"frozen_parts": fresh[:8], "frozen_parameters": count},
            "Load trained weights into it before you freeze it, or leave `requires_grad` on.",
        )
    ]


def _is_copy(model: nn.Module, part: nn.Module) -> bool:
    """Whether a matrix of the part has the values of a trainable one."""
    trainable = {fingerprint(p) for p in model.parameters() if p.requires_grad and p.dim() > 1}
    return any(fingerprint(p) in trainable for p in part.parameters() if p.dim() > 1)

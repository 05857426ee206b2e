"""Layers that are frozen, and those frozen between layers that train."""

from __future__ import annotations

import re

from torch import nn

from tierproof.core.finding import Finding, Severity

CODE = "T1-GRAD"
# A layer of a stack: what stands before its number, and the number.
BLOCK = re.compile(r"^(.*?\.?)(\d+)\.")


def judge_frozen(model: nn.Module) -> list[Finding]:
    """An info that counts frozen parameters, and a warning for a layer frozen between layers that train."""
    frozen = [name for name, parameter in model.named_parameters() if not parameter.requires_grad]
    if not frozen:
        return []
    findings = [
        Finding(
            f"{CODE}-010",
            Severity.INFO,
            f"{len(frozen)} of {sum(1 for _ in model.parameters())} parameters are frozen.",
            evidence={"parameters": frozen[:8], "count": len(frozen)},
            hint="Call `requires_grad_(True)` on what should train. Nothing to do if you froze them on purpose.",
        )
    ]
    for path, neighbours in _find_lonely_frozen(model).items():
        findings.append(
            Finding(
                f"{CODE}-011",
                Severity.WARNING,
                f"`{path}` is frozen, although the layers before and after it are trained.",
                where=path,
                evidence={"trainable_neighbours": neighbours},
                hint="To train it, call `requires_grad_(True)`. To keep it frozen, also freeze the layers before it.",
            )
        )
    return findings


def _find_lonely_frozen(model: nn.Module) -> dict[str, int]:
    """Parameters' owners frozen in one layer of a stack while the same ones before and after train."""
    states: dict[tuple[str, str], dict[int, bool]] = {}
    for name, parameter in model.named_parameters():
        match = BLOCK.match(name)
        if match:
            states.setdefault((match.group(1), name[match.end() :]), {})[int(match.group(2))] = (
                parameter.requires_grad
            )
    lonely: dict[str, int] = {}
    for (prefix, rest), flags in states.items():
        for index, trains in flags.items():
            before = any(flag for other, flag in flags.items() if other < index)
            after = any(flag for other, flag in flags.items() if other > index)
            if not trains and before and after:
                owner = f"{prefix}{index}.{rest}".rpartition(".")[0]
                lonely[owner] = sum(flags.values())
    return _merge_children(model, lonely)


def _merge_children(model: nn.Module, lonely: dict[str, int]) -> dict[str, int]:
    """Name a layer instead of its parts when all its parameters are frozen."""
    merged: dict[str, int] = {}
    for path, count in lonely.items():
        match = BLOCK.match(path + ".")
        block = path if match is None else f"{match.group(1)}{match.group(2)}"
        whole = not any(parameter.requires_grad for parameter in model.get_submodule(block).parameters())
        merged[block if whole else path] = count
    return merged

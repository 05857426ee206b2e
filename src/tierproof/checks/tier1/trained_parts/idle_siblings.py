"""Find a part that one module leaves unused while its siblings, modules of the same class, use theirs."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping

from torch import nn

from tierproof.core.finding import Finding, Severity
from tierproof.model.describe.repeated_blocks import find_repeated_blocks

_INDEX = re.compile(r"(^|\.)\d+(?=\.|$)")
_NAMES_SHOWN = 8


def judge_siblings(model: nn.Module, used: Mapping[str, bool], entered: Collection[str]) -> list[Finding]:
    """Judge the blocks of each stack, then modules of one class that stand beside each other outside the stacks.

    Args:
        used: by the name of a trainable parameter, whether an output depends on it.
        entered: paths of the modules that ran.
    """
    forgotten = _find_in_stacks(model, used)
    if not forgotten:
        forgotten = _find_idle_norms(model, used, entered)
    findings = []
    for path, names in forgotten.items():
        part = names[0].rpartition(".")[0]
        findings.append(
            Finding(
                "T1-PART-003",
                Severity.WARNING,
                f"`{path}` does not use its `{part or names[0]}`, although its sibling blocks use theirs.",
                f"{path}.{part}".rstrip("."),
                {"parameters": [f"{path}.{name}" for name in names[:_NAMES_SHOWN]], "count": len(names)},
                "Call this part in the block's forward and use its result, as its siblings do.",
            )
        )
    return findings


def _find_in_stacks(model: nn.Module, used: Mapping[str, bool]) -> dict[str, list[str]]:
    """Parameters, by the block that leaves them unused, that most blocks of its stack use.

    The last block of a stack may have no successor to serve, so it is left out.
    """
    uses: dict[tuple[str, str], dict[str, bool]] = {}
    for path, block in find_repeated_blocks(model).items():
        for name, _ in block.named_parameters():
            full = f"{path}.{name}"
            if full in used and not _INDEX.search(name):
                uses.setdefault((path.rpartition(".")[0], name), {})[path] = used[full]
    forgotten: dict[str, list[str]] = {}
    for (_, name), by_block in uses.items():
        idle = [path for path, is_used in by_block.items() if not is_used]
        last = list(by_block)[-1]
        if idle and last not in idle and len(idle) <= len(by_block) // 3:
            forgotten.setdefault(idle[0], []).append(name)
    return forgotten


def _find_idle_norms(
    model: nn.Module, used: Mapping[str, bool], entered: Collection[str]
) -> dict[str, list[str]]:
    """Norms of a module that ran without them, while another module of its class, outside the stacks, uses its own.

    A norm is a layer of vectors only; it waits for no optional input, as a table or a projection may.
    """
    blocks = find_repeated_blocks(model)
    by_class: dict[type[nn.Module], list[str]] = {}
    for path, module in model.named_modules():
        inside = any(path == block or path.startswith(f"{block}.") for block in blocks)
        if path in entered and not inside and not type(module).__module__.startswith("torch."):
            by_class.setdefault(type(module), []).append(path)
    forgotten: dict[str, list[str]] = {}
    for paths in by_class.values():
        for name in _list_norms(model.get_submodule(paths[0])):
            known = {path: used[f"{path}.{name}"] for path in paths if f"{path}.{name}" in used}
            # A module none of whose parameters counts belongs to another output than the main one.
            idle = [path for path, is_used in known.items() if not is_used and _is_used(path, used)]
            if idle and len(idle) < len(known):
                forgotten.setdefault(idle[0], []).append(name)
    return forgotten


def _is_used(path: str, used: Mapping[str, bool]) -> bool:
    return any(is_used for name, is_used in used.items() if name.startswith(f"{path}."))


def _list_norms(module: nn.Module) -> list[str]:
    """Names of the parameters of the norms that a module holds itself: layers that have vectors only."""
    return [
        f"{child}.{name}"
        for child, part in module.named_children()
        if all(p.dim() == 1 for p in part.parameters())
        for name, _ in part.named_parameters()
    ]

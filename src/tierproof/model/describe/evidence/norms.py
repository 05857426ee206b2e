"""Which normalisation a model uses, and whether it runs before or after the sublayers."""

from __future__ import annotations

from collections import Counter

from torch import nn

from tierproof.core.report import TraitEvidence
from tierproof.model.describe.repeated_blocks import find_repeated_blocks
from tierproof.model.observe.forward_census import ForwardCensus


def describe_norms(model: nn.Module, census: ForwardCensus) -> TraitEvidence | None:
    """Describe the classes of norms, and the order in which a repeated block runs its parts."""
    kinds = Counter(type(module).__name__ for module in model.modules() if _is_norm(module))
    if not kinds:
        return None
    declared = ", ".join(f"{count} {kind}" for kind, count in kinds.most_common(3))
    flags = {m.norm_first for m in model.modules() if isinstance(getattr(m, "norm_first", None), bool)}
    if len(flags) == 1:
        declared += f"; norm_first={flags.pop()}"
    return TraitEvidence("normalisation", declared, _find_place(model, census))


def _is_norm(module: nn.Module) -> bool:
    return "norm" in type(module).__name__.lower() and any(True for _ in module.parameters(recurse=False))


def _find_place(model: nn.Module, census: ForwardCensus) -> str:
    """Pre- or post-norm, by what runs first and last in the first repeated block."""
    block = next(iter(find_repeated_blocks(model)), "")
    if not block:
        return ""
    modules = dict(model.named_modules())
    leaves = [
        path
        for path in census.entered
        if path.startswith(f"{block}.")
        and path in modules
        and (next(modules[path].children(), None) is None or _is_norm(modules[path]))
    ]
    if len(leaves) < 2:
        return ""
    first, last = _is_norm(modules[leaves[0]]), _is_norm(modules[leaves[-1]])
    places = {(True, False): "pre-norm", (False, True): "post-norm", (True, True): "norms before and after"}
    place = places.get((first, last), "")
    return (
        f"{place}: {block} begins with {leaves[0].rpartition('.')[2]}, ends with {leaves[-1].rpartition('.')[2]}"
        if place
        else ""
    )

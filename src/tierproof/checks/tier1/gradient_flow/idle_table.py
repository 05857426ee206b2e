"""Tell a table of one block that has nothing to act on from one that is multiplied by zero."""

from __future__ import annotations

import re
from collections.abc import Sequence

from torch import nn

from tierproof.checks.tier1.gradient_flow.starved_module import StarvedModule
from tierproof.model.gradients.gradient_pass import GradientPass

_INDEX = re.compile(r"(^|\.)\d+(?=\.|$)")


def is_idle_table(model: nn.Module, passes: Sequence[GradientPass], item: StarvedModule) -> bool:
    """Whether a starved module is a bare table whose counterparts in other blocks are trained.

    The last block may serve a class or region token alone, and the smallest map of a pyramid may fill one window: a
    table of relative positions then has nothing to tell apart.
    """
    module = model.get_submodule(item.path)
    bare = isinstance(module, nn.Embedding) or not type(module).__module__.startswith("torch.nn.")
    if not bare:
        return False
    patterns = {_INDEX.sub(r"\1*", name) for name in item.names}
    return any(
        norm and name not in item.names and _INDEX.sub(r"\1*", name) in patterns
        for each in passes
        for name, norm in each.norms.items()
    )

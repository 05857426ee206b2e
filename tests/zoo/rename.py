"""The handwritten models under other names: at random, or chosen to mislead. What they compute stays the same."""

from __future__ import annotations

import inspect
import sys
import types

import torch
from torch import nn

from faultbench.rename import rename_source
from zoo import handwritten


def build_renamed(name: str, *, seed: int, mislead: bool) -> nn.Module:
    """Build a handwritten model whose classes, attributes and forward arguments have other names."""
    renamed = rename_source(inspect.getsource(handwritten), seed=seed, mislead=mislead)
    module = types.ModuleType(f"renamed_{name}_{seed}_{mislead}")
    sys.modules[module.__name__] = module
    exec(compile(renamed.source, module.__name__, "exec"), vars(module))
    torch.manual_seed(0)
    kind = handwritten.HANDWRITTEN[name][0].__name__
    return getattr(module, renamed.classes[kind])()

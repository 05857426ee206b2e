"""Execute a loop's source as a module of its own."""

from __future__ import annotations

import linecache
import random
import sys
import types
from typing import Any

import numpy as np
import torch


def load_loop(name: str, source: str, seed: int = 0) -> dict[str, Any]:
    """The arguments of `tierproof.audit` at the end of a loop; its lines can be quoted, as those of a file can."""
    torch.manual_seed(seed)
    random.seed(seed)
    np.random.seed(seed)
    file = f"<{name}>.py"
    linecache.cache[file] = (len(source), None, source.splitlines(keepends=True), file)
    module = types.ModuleType(f"loopbench_{name}")
    sys.modules[module.__name__] = module
    exec(compile(source, file, "exec"), module.__dict__)
    arguments: dict[str, Any] = module.audit
    return arguments

"""Record the arguments that every module is called with in one forward pass, so that it can be called again alone."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils._pytree import tree_flatten, tree_unflatten


@dataclass(frozen=True)
class ModuleArguments:
    """One call of one module.

    Attributes:
        path: of the module.
        leaves: all arguments, taken out of tuples and dicts; tensors as copies.
        structure: how `rebuild` puts them together again.
    """

    path: str
    leaves: tuple[Any, ...]
    structure: Any

    def rebuild(self, leaves: tuple[Any, ...]) -> tuple[tuple[Any, ...], Mapping[str, Any]]:
        """Positional and keyword arguments made of other leaves."""
        arguments, keywords = tree_unflatten(list(leaves), self.structure)
        return tuple(arguments), keywords


def record_arguments(model: nn.Module, run: Callable[[], object]) -> dict[str, ModuleArguments]:
    """Run a forward pass and give the arguments of the first call of each module, by path."""
    found: dict[str, ModuleArguments] = {}

    def remember(path: str) -> Any:
        def hook(_module: nn.Module, arguments: Any, keywords: Any) -> None:
            if path not in found:
                leaves, structure = tree_flatten((arguments, keywords))
                kept = tuple(leaf.detach().clone() if isinstance(leaf, Tensor) else leaf for leaf in leaves)
                found[path] = ModuleArguments(path, kept, structure)

        return hook

    handles = [
        module.register_forward_pre_hook(remember(path), with_kwargs=True)
        for path, module in model.named_modules()
        if path and not isinstance(module, torch.jit.ScriptModule)
    ]
    try:
        run()
    finally:
        for handle in handles:
            handle.remove()
    return found

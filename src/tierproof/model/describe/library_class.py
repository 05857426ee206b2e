"""Tell whether a module's class comes from the transformers library, whose odd choices follow publications."""

from __future__ import annotations

from torch import nn


def is_library_class(model: nn.Module, path: str) -> bool:
    """Whether the class of the module at `path` comes from transformers; for torch's own, that of its owner."""
    while True:
        origin = type(model.get_submodule(path)).__module__
        if not origin.startswith("torch.") or not path:
            return origin.startswith("transformers.")
        path = path.rpartition(".")[0]

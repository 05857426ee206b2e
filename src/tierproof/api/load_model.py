"""Load what a person passes as a model: a module, its class, or a TARGET as on the command line."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from torch import nn

    from tierproof.model.load.load import LoadedModel


def load_model(model: nn.Module | str, seed: int) -> LoadedModel:
    """The loaded model and how it was loaded.

    Args:
        model: a class is built where it needs no arguments.
        seed: of its parameters, where they are drawn.

    Raises:
        TierproofError: it cannot be loaded.
    """
    from torch import nn

    from tierproof.model.load.load import LoadedModel, LoadOptions, load_class, load_target

    options = LoadOptions(seed=seed)
    if isinstance(model, str):
        return load_target(model, options)
    if isinstance(model, type) and issubclass(model, nn.Module):
        return load_class(model, options)
    return LoadedModel(model, "")

"""Find the repeated blocks of a model, such as a transformer's layers."""

from __future__ import annotations

from torch import nn

_CONTAINERS = (nn.ModuleList, nn.Sequential)


def find_repeated_blocks(model: nn.Module) -> dict[str, nn.Module]:
    """The modules with parameters whose container holds several modules of their class, by path.

    Blocks inside blocks are left out, and so are nn.ModuleDict and nn.ModuleList, which are never called.
    """
    found: dict[str, nn.Module] = {}
    for path, container in model.named_modules():
        if not isinstance(container, _CONTAINERS) or any(_is_within(path, block) for block in found):
            continue
        classes = [type(child) for child in container.children()]
        for name, child in container.named_children():
            trained = any(True for _ in child.parameters())
            called = not isinstance(child, nn.ModuleDict | nn.ModuleList)
            if trained and called and classes.count(type(child)) > 1:
                found[f"{path}.{name}".lstrip(".")] = child
    return found


def _is_within(path: str, ancestor: str) -> bool:
    return path == ancestor or path.startswith(f"{ancestor}.")

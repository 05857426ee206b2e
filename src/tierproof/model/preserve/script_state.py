"""Record and restore the attributes of TorchScript modules, which live in C++ and not in a `__dict__`."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from torch import Tensor, nn
from torch.jit._script import RecursiveScriptModule


@dataclass(frozen=True)
class ScriptRecord:
    """The recorded attributes of one scripted or traced module; lists and dicts are read as copies."""

    module: Any
    attributes: tuple[tuple[str, Any], ...]

    def restore(self) -> None:
        """Set the attributes that differ."""
        for name, kept in self.attributes:
            now = self.module.getattr(name)
            same = now is kept if isinstance(kept, Tensor) else now == kept
            if not same:
                self.module.setattr(name, kept)


def record_script_modules(model: nn.Module) -> Iterator[ScriptRecord]:
    """Record every TorchScript module inside `model`."""
    for module in model.modules():
        if isinstance(module, RecursiveScriptModule):
            inner = module._c
            names = [*module._concrete_type.get_attributes(), "training"]
            yield ScriptRecord(inner, tuple((n, inner.getattr(n)) for n in names if inner.hasattr(n)))

"""One concrete call of a model: positional and keyword arguments."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from tierproof.core.time_limit import require_time
from tierproof.model.call.layout import Layout, fill_template, iterate_slots
from tierproof.model.call.stray_dropout import open_dropout_guard
from tierproof.model.call.unprintable_error import refuse_unprintable
from tierproof.model.preserve.interrupt_gate import renew_interrupts


@dataclass(frozen=True)
class Call:
    """Arguments for one forward pass.

    `arguments` maps each argument's name to its value, in order. A `positional` call passes them in
    that order, a `keyword` call by name, a `mapping` call as one dict. Where a parameter takes more than one tensor,
    `layout` says for each parameter how its tensors are packed.
    """

    arguments: Mapping[str, Any]
    style: str = "keyword"
    constants: Mapping[str, Any] = field(default_factory=dict)
    layout: Layout = field(default_factory=dict)

    def run(self, model: nn.Module) -> Any:
        """Call the model with a clone of every tensor, so that in-place changes do not reach the arguments."""
        values = {
            name: value.clone() if isinstance(value, Tensor) else value
            for name, value in self.arguments.items()
        }
        return self.run_on(model, values)

    def run_on(self, model: nn.Module, values: Mapping[str, Any]) -> Any:
        """Call the model with exactly these objects (no clones), so that in-place changes show on them.

        Raises:
            UnprintableError: in place of an exception of the model's whose message cannot be shown.
        """
        require_time()
        try:
            with open_dropout_guard(training=model.training):
                return self._pass_to(model, values)
        except Exception as error:
            refuse_unprintable(error)
            raise
        finally:
            renew_interrupts()

    def _pass_to(self, model: nn.Module, values: Mapping[str, Any]) -> Any:
        args, kwargs = self._arrange(values)
        return model(*args, **kwargs)

    def split(self) -> tuple[tuple[Any, ...], dict[str, Any]]:
        """Positional and keyword arguments of the same call, the tensors as clones."""
        return self._arrange(
            {k: v.clone() if isinstance(v, Tensor) else v for k, v in self.arguments.items()}
        )

    def _arrange(self, values: Mapping[str, Any]) -> tuple[tuple[Any, ...], dict[str, Any]]:
        """Positional and keyword arguments of these values."""
        packed = dict(values)
        if self.layout:
            placed = {name for template in self.layout.values() for name in iterate_slots(template)}
            packed = {name: fill_template(template, values) for name, template in self.layout.items()}
            packed |= {name: value for name, value in values.items() if name not in placed}
        if self.style == "positional":
            return tuple(packed.values()), dict(self.constants)
        if self.style == "mapping":
            return (packed,), dict(self.constants)
        return (), {**packed, **self.constants}

    def with_argument(self, name: str, value: Any) -> Call:
        """The same call with one argument replaced."""
        return replace(self, arguments={**self.arguments, name: value})

    def map_tensors(self, change: Any) -> Call:
        """The same call with `change(name, tensor)` applied to every tensor argument."""
        return replace(
            self,
            arguments={
                name: change(name, value) if isinstance(value, Tensor) else value
                for name, value in self.arguments.items()
            },
        )

    @property
    def tensors(self) -> dict[str, Tensor]:
        """The tensor arguments by name."""
        return {name: value for name, value in self.arguments.items() if isinstance(value, Tensor)}

    def describe(self) -> str:
        """Name, dtype and shape of each argument, for messages."""
        parts = []
        for name, value in self.arguments.items():
            if isinstance(value, torch.Tensor):
                dtype = str(value.dtype).removeprefix("torch.")
                parts.append(f"{name}: {dtype}{list(value.shape)}")
            else:
                parts.append(f"{name}: {type(value).__name__}")
        return ", ".join(parts)


# Frames of tierproof that pass an operation on, and so are the innermost when the operation raises.
_PASSING_ON = frozenset(
    {"run_on", "_pass_to", "__call__", "__torch_function__", "__torch_dispatch__", "_compute",
     "refuse_unprintable"}
)  # fmt: skip
_OWN_CODE = str(Path(__file__).parents[2])


def raised_in_a_call(error: BaseException) -> bool:
    """Whether `error` was raised by a model inside its call, rather than by tierproof's own code or hooks."""
    traceback, inside = error.__traceback__, False
    innermost = None
    while traceback is not None:
        innermost = traceback.tb_frame.f_code
        inside |= innermost is Call.run_on.__code__
        traceback = traceback.tb_next
    own = innermost is not None and innermost.co_filename.startswith(_OWN_CODE)
    return inside and not (own and innermost is not None and innermost.co_name not in _PASSING_ON)

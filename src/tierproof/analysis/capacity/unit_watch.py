"""Watch which units of the activation functions ever give anything."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from tierproof.analysis.capacity.capacity_figures import UnitActivity
from tierproof.analysis.capacity.position_rows import PositionRows, find_channel_axis, has_values
from tierproof.model.observe.execution_trace import ExecutionTrace
from tierproof.model.observe.harmless import harmless

# Functions of torch that are zero, or nearly so, for small inputs.
FUNCTIONS = frozenset(
    {"relu", "relu_", "relu6", "gelu", "silu", "mish", "hardswish", "threshold", "threshold_"}
)
# A unit that never exceeds this part of the layer's largest magnitude is silent.
_SILENT = 1e-6
# Calls of one module in one pass that are told apart; those beyond count as one.
_MOST_TURNS = 8
_PROBE = 30.0


@dataclass
class _Units:
    function: str
    magnitudes: Tensor
    values: Tensor
    positions: int


class UnitWatch:
    """Collects the units of activation functions, over as many passes as it watches.

    Functions of torch are seen as operations. Modules without parameters that compute such a function otherwise are
    found by trying them: elementwise, zero for −30 and positive for 30.
    """

    def __init__(self, model: nn.Module) -> None:
        self.failures: list[str] = []
        self._modules = dict(model.named_modules())
        self._tried: dict[tuple[type, str], bool] = {}
        self._units: dict[tuple[str, int], _Units] = {}
        self._uneven: set[tuple[str, int]] = set()
        self._turns: dict[str, int] = {}
        self._plan = PositionRows(1)
        self._written = [
            (path, module) for path, module in self._modules.items() if self._is_rectifier(module)
        ]

    @contextmanager
    def watch(self, plan: PositionRows) -> Iterator[None]:
        """Inside the `with`, one pass is watched; operations are passed to `see` by the one who watches them."""
        self._plan = plan
        self._turns = {}
        handles = [module.register_forward_hook(self._make_hook(path)) for path, module in self._written]
        try:
            yield
        finally:
            for handle in handles:
                handle.remove()

    def see(self, name: str, result: Any, trace: ExecutionTrace) -> None:
        """Look at one operation of torch."""
        if name in FUNCTIONS and isinstance(result, Tensor):
            self._add(trace.current, name.rstrip("_"), result)

    def _make_hook(self, path: str) -> Any:
        def leave(module: nn.Module, _args: Any, output: Any) -> None:
            # Where it called a function of torch, that was seen already.
            if self._turns.get(path, 0) == 0 and isinstance(output, Tensor):
                with harmless(self.failures), torch.no_grad():
                    self._add(path, type(module).__name__, output)
                self._turns.pop(path, None)

        return leave

    def _add(self, path: str, function: str, result: Tensor) -> None:
        if not has_values(result):
            return
        turn = self._turns.get(path, 0)
        self._turns[path] = turn + 1
        key = (path, min(turn, _MOST_TURNS - 1))
        owner = self._find_owner(path)
        axis = find_channel_axis(result, owner)
        units = result.shape[axis]
        if key in self._uneven or not any(units in parameter.shape for parameter in owner.parameters()):
            return
        rows = self._plan.read(result, axis)
        if not len(rows) or not bool(rows.isfinite().all()):
            return
        magnitudes, values = rows.abs().amax(0), rows.amax(0)
        known = self._units.get(key)
        if known is None:
            self._units[key] = _Units(function, magnitudes, values, len(rows))
        elif known.magnitudes.shape != magnitudes.shape:
            self._uneven.add(key)  # positions, not units
            del self._units[key]
        else:
            known.magnitudes = torch.maximum(known.magnitudes, magnitudes)
            known.values = torch.maximum(known.values, values)
            known.positions += len(rows)

    def _find_owner(self, path: str) -> nn.Module:
        """The module whose layers the function stands between: the one that runs, or its parent if it has none."""
        module: nn.Module = self._modules[path]
        while path and next(module.parameters(), None) is None:
            path = path.rpartition(".")[0]
            module = self._modules[path]
        return module

    def _is_rectifier(self, module: nn.Module) -> bool:
        if next(module.children(), None) is not None or isinstance(module, torch.jit.ScriptModule):
            return False
        if next(module.parameters(), None) is not None or next(module.buffers(), None) is not None:
            return False
        key = (type(module), repr(module))
        if key not in self._tried:
            self._tried[key] = _computes_rectifier(module)
        return self._tried[key]

    def summarise(self) -> tuple[UnitActivity, ...]:
        """The functions, in the order in which they ran."""
        return tuple(
            UnitActivity(
                path=path,
                function=units.function,
                units=len(units.values),
                silent=int((units.magnitudes <= _SILENT * float(units.magnitudes.max())).sum()),
                never_positive=int((units.values <= 0).sum()),
                positions=units.positions,
            )
            for (path, _), units in self._units.items()
        )


def _computes_rectifier(module: nn.Module) -> bool:
    probe = torch.tensor([[-_PROBE, -1.0, 0.5, _PROBE]])
    try:
        with torch.no_grad():
            given, turned = module(probe.clone()), module(probe.flip(1))
    except Exception:  # noqa: BLE001 - it takes something else, so it is no such function
        return False
    if not isinstance(given, Tensor) or given.shape != probe.shape or not isinstance(turned, Tensor):
        return False
    low, *_, high = given[0].tolist()
    return torch.equal(given.flip(1), turned) and abs(low) < 1e-4 and high > 0.5

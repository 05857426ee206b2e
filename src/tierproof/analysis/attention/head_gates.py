"""Run a forward pass in which the output of each attention head is multiplied by a factor.

No parameter is changed: the factor is put on the result of the attention operation as it runs (Michel et al. 2019,
arXiv 1905.10650).
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping
from typing import Any

from torch import Tensor, nn

from tierproof.analysis.attention.attention_pattern import AttentionPattern, OperationKey
from tierproof.analysis.attention.bands.softmax_uses import SoftmaxKey
from tierproof.analysis.attention.capture_patterns import PatternCapture, run_eagerly
from tierproof.model.observe.execution_trace import ExecutionTrace
from tierproof.model.observe.harmless import harmless


class HeadGates(PatternCapture):
    """While active, multiplies the output of each head of the operations in `gates` by its factor.

    Args:
        trace: names the running module.
        batch: how many rows the pass has.
        gates: the factors by operation, [heads] each.
        banded: softmaxes that are put in order.
    """

    def __init__(
        self,
        trace: ExecutionTrace,
        batch: int,
        gates: Mapping[OperationKey, Tensor],
        banded: Collection[SoftmaxKey] = (),
    ) -> None:
        super().__init__(trace, batch, self._remember, banded)
        self._gates = gates
        self._seen: list[AttentionPattern] = []
        self.applied: set[OperationKey] = set()

    def _remember(self, pattern: AttentionPattern) -> None:
        self._seen.append(pattern)

    def __torch_function__(
        self,
        func: Any,
        types: Iterable[type],
        args: tuple[Any, ...] = (),
        kwargs: Mapping[str, Any] | None = None,
    ) -> Any:
        """Run the operation; where it was an attention operation, put the factors on its result."""
        self._seen.clear()
        result = super().__torch_function__(func, types, args, kwargs)
        pattern = self._seen[0] if self._seen else None
        if pattern is None or pattern.gate is None or pattern.key not in self._gates:
            return result
        with harmless(self.failures):
            result = pattern.gate(result, self._gates[pattern.key])
            self.applied.add(pattern.key)
        return result


def run_with_gates(
    model: nn.Module,
    run: Callable[[], Any],
    batch: int,
    gates: Mapping[OperationKey, Tensor],
    banded: Collection[SoftmaxKey] = (),
) -> tuple[Any, set[OperationKey]]:
    """What the model returns with these factors, and the operations where they were put on.

    Args:
        model: whose modules name the operations.
        run: the forward pass.
        batch: rows of it.
        gates: factors by operation, [heads] each.
        banded: softmaxes that are put in order.
    """
    with ExecutionTrace(model) as trace, run_eagerly():
        capture = HeadGates(trace, batch, gates, banded)
        with capture:
            returned = run()
    return returned, capture.applied

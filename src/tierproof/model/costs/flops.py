"""Count the floating-point operations of one forward pass, in total and per module."""

from __future__ import annotations

import inspect
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from math import prod
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.modules.module import register_module_forward_hook, register_module_forward_pre_hook
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves
from torch.utils.flop_counter import flop_registry

# How the formulas call the operator's result: it was renamed in torch 2.3.
_RESULT = (
    "out_val"
    if "out_val" in inspect.signature(flop_registry[torch.ops.aten.mm], follow_wrapped=False).parameters
    else "out"
)


@dataclass(frozen=True)
class FlopCount:
    """The operations of matrix products, convolutions and attention; a multiply-add counts as two.

    Attributes:
        total: of the whole call.
        by_module: module path to operations inside it, its children included.
        by_operator: operator name to operations.
    """

    total: int
    by_module: Mapping[str, int] = field(default_factory=dict)
    by_operator: Mapping[str, int] = field(default_factory=dict)


def count_flops(model: nn.Module, run: Callable[[], object]) -> FlopCount:
    """Run `run` once, without gradients, and count its operations.

    The formulas are those of `torch.utils.flop_counter`. It lacks three CPU paths, which are added here: the fused
    attention kernel (it counts zero, https://github.com/pytorch/pytorch/issues/195460), the recurrent layers of
    oneDNN, and the one-kernel fast path of nn.TransformerEncoderLayer, which is switched off for the count.
    Attention is counted in full, even if a causal mask lets a kernel skip half of it.

    Args:
        model: names the modules of `by_module`.
        run: calls `model`, in whatever mode it is.
    """
    counter = _OperationCounter(model)
    fast_path = torch.backends.mha.get_fastpath_enabled()
    torch.backends.mha.set_fastpath_enabled(False)
    handles = [
        register_module_forward_pre_hook(counter.enter),
        register_module_forward_hook(counter.leave, always_call=True),
    ]
    try:
        with torch.no_grad(), counter:
            run()
    finally:
        for handle in handles:
            handle.remove()
        torch.backends.mha.set_fastpath_enabled(fast_path)
    by_operator = dict(counter.by_operator)
    return FlopCount(sum(by_operator.values()), dict(counter.by_module), by_operator)


class _OperationCounter(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """Adds up the formula of every operator that runs.

    Torch's own FlopCounterMode would do, but entering it imports torch._dynamo: seconds in a fresh process.
    """

    supports_higher_order_operators = True

    def __init__(self, model: nn.Module) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.by_module: Counter[str] = Counter()
        self.by_operator: Counter[str] = Counter()
        self._formulas = {**flop_registry, **_find_missing_formulas()}
        self._paths = {id(module): path for path, module in model.named_modules()}
        self._inside: list[str] = []

    @classmethod
    def _should_skip_dynamo(cls) -> bool:
        """Say that nothing here must be hidden from a compiler: the wrapper that hides it imports one."""
        return False

    def enter(self, module: nn.Module, _arguments: Any) -> None:
        """Count for this module too from now on."""
        path = self._paths.get(id(module))
        if path is not None:
            self._inside.append(path)

    def leave(self, module: nn.Module, _arguments: Any, _output: Any) -> None:
        """Count no longer for this module, nor for what raised inside it."""
        path = self._paths.get(id(module))
        if path in self._inside:
            while self._inside.pop() != path:
                pass

    def __torch_dispatch__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        """Run the operator and count it; one without a formula that is made of others is taken apart."""
        kwargs = kwargs or {}
        operator = getattr(func, "_overloadpacket", func)  # a higher-order operator has no overloads
        formula = self._formulas.get(operator)
        if formula is None:
            with self:
                result = _take_apart(func, types, args, kwargs)
            if result is not NotImplemented:
                return result
        result = func(*args, **kwargs)
        if formula is not None:
            flops = int(formula(*args, **kwargs, **{_RESULT: result}))
            self.by_operator[str(operator)] += flops
            for path in set(self._inside):
                self.by_module[path] += flops
        return result


def _take_apart(func: Any, types: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    """What the operator gives, worked out by others that it is made of; NotImplemented where there are none."""
    for value in tree_leaves((args, kwargs)):
        kind = type(value)
        if isinstance(value, Tensor) and kind.__torch_dispatch__ is not Tensor.__torch_dispatch__:
            return kind.__torch_dispatch__(func, types, args, kwargs)
    return func.decompose(*args, **kwargs) if hasattr(func, "decompose") else NotImplemented


def _find_missing_formulas() -> dict[Any, Any]:
    """Formulas by operator, for the operators that this build of torch has and does not count."""
    wanted = {
        "_scaled_dot_product_flash_attention_for_cpu": _count_attention_of,
        "mkldnn_rnn_layer": _count_recurrent_of,
    }
    aten = torch.ops.aten
    return {getattr(aten, name): formula for name, formula in wanted.items() if hasattr(aten, name)}


def _count_attention_of(query: Tensor, key: Tensor, value: Tensor, *_: Any, **__: Any) -> int:
    return count_attention_flops(tuple(query.shape), tuple(key.shape), tuple(value.shape))


def count_attention_flops(query: tuple[int, ...], key: tuple[int, ...], value: tuple[int, ...]) -> int:
    """Count the operations of q·kᵀ and of scores·v.

    Args:
        query: shape (batch, heads, queries, width).
        key: shape (batch, heads or fewer, keys, width).
        value: shape (batch, heads or fewer, keys, value width).
    """
    *outer, queries, width = query
    return 2 * prod(outer) * queries * key[-2] * (width + value[-1])


def _count_recurrent_of(
    inputs: Tensor, input_weight: Tensor, hidden_weight: Tensor, *_: Any, **__: Any
) -> int:
    """Every step of (steps, batch, width) multiplies by both weights, (gates · hidden, width or hidden)."""
    return 2 * inputs.shape[0] * inputs.shape[1] * (input_weight.numel() + hidden_weight.numel())

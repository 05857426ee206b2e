"""Half-precision products on the CPU, computed in float32 and rounded: the same values, at float32's speed.

Not every CPU multiplies float16 or bfloat16 itself. Where it does not, PyTorch falls back on loops that take a hundred
times as long as float32. Kernels for half precision accumulate in float32 and round once, which is what this does.
"""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import AbstractContextManager, nullcontext
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils._python_dispatch import TorchDispatchMode

_aten = torch.ops.aten
_PRODUCTS = frozenset(
    {_aten.mm, _aten.bmm, _aten.addmm, _aten.baddbmm, _aten.addbmm, _aten.mv, _aten.addmv, _aten.dot}
    | {_aten.convolution, _aten.linear, _aten._scaled_dot_product_flash_attention_for_cpu}
)
_HALVES = (torch.float16, torch.bfloat16)


class WideProducts(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """While active, matrix products, convolutions and attention of half-precision CPU tensors run in float32."""

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]

    @classmethod
    def _should_skip_dynamo(cls) -> bool:
        """Say that nothing here must be hidden from a compiler: the wrapper that hides it imports one."""
        return False

    def __torch_dispatch__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: Mapping[str, Any] | None = None
    ) -> Any:
        """Compute one operation; tensors of several dtypes are left to PyTorch, which refuses them."""
        kwargs = dict(kwargs or {})
        if func.overloadpacket not in _PRODUCTS or "out" in kwargs:
            return func(*args, **kwargs)
        tensors = [value for value in (*args, *kwargs.values()) if isinstance(value, Tensor)]
        dtype = tensors[0].dtype
        if dtype not in _HALVES or any(t.dtype is not dtype or t.device.type != "cpu" for t in tensors):
            return func(*args, **kwargs)
        widened = func(*map(_widen, args), **{name: _widen(value) for name, value in kwargs.items()})
        if isinstance(widened, Tensor):
            return widened.to(dtype)
        # Attention also returns the logarithms of its sums, which half precision's own kernel gives in float32.
        return (widened[0].to(dtype), *widened[1:])


def widen_products(model: nn.Module) -> AbstractContextManager[object]:
    """`WideProducts` for a model with half-precision parameters on the CPU; nothing for any other."""
    halves = any(p.dtype in _HALVES and p.device.type == "cpu" for p in model.parameters())
    return WideProducts() if halves else nullcontext()


def _widen(value: Any) -> Any:
    return value.float() if isinstance(value, Tensor) else value

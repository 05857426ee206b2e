"""Floating-point operations of one forward pass, in total and per module."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from math import prod
from typing import Any

import torch
from torch import nn
from torch.utils.flop_counter import FlopCounterMode


@dataclass(frozen=True)
class FlopCount:
    """Operations of matrix products, convolutions and attention; a multiply-add counts as two.

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

    Counted by `torch.utils.flop_counter`, which knows nothing of three CPU paths, taken care of here: the
    fused attention kernel (counted as zero, https://github.com/pytorch/pytorch/issues/195460), the recurrent
    layers of oneDNN, and the one-kernel fast path of nn.TransformerEncoderLayer, which is switched off
    for the count. Attention is counted in full, also where a causal mask lets a kernel skip half of it.

    Args:
        model: names the modules of `by_module`.
        run: calls `model`, in whatever mode it is.
    """
    counter = FlopCounterMode(display=False, custom_mapping=_find_missing_formulas())
    fast_path = torch.backends.mha.get_fastpath_enabled()
    torch.backends.mha.set_fastpath_enabled(False)
    try:
        with torch.no_grad(), counter:
            run()
    finally:
        torch.backends.mha.set_fastpath_enabled(fast_path)
    counts = counter.get_flop_counts()
    prefix = type(model).__name__
    by_module = {
        name.removeprefix(prefix).removeprefix("."): sum(operators.values())
        for name, operators in counts.items()
        if name == prefix or name.startswith(f"{prefix}.")
    }
    by_operator = {str(operator): int(flops) for operator, flops in counts.get("Global", {}).items()}
    return FlopCount(int(counter.get_total_flops()), by_module, by_operator)


def _find_missing_formulas() -> dict[Any, Any]:
    """Formulas by operator, for the operators that this build of torch has and does not count."""
    wanted = {
        "_scaled_dot_product_flash_attention_for_cpu": count_attention_flops,
        "mkldnn_rnn_layer": _count_recurrent_flops,
    }
    aten = torch.ops.aten
    return {getattr(aten, name): formula for name, formula in wanted.items() if hasattr(aten, name)}


def count_attention_flops(
    query: tuple[int, ...], key: tuple[int, ...], value: tuple[int, ...], *_: Any, **__: Any
) -> int:
    """Operations of scores = q·kᵀ and of scores·v.

    Args:
        query: shape (batch, heads, queries, width).
        key: shape (batch, heads or fewer, keys, width).
        value: shape (batch, heads or fewer, keys, value width).
    """
    *outer, queries, width = query
    return 2 * prod(outer) * queries * key[-2] * (width + value[-1])


def _count_recurrent_flops(
    inputs: tuple[int, ...], input_weight: tuple[int, ...], hidden_weight: tuple[int, ...], *_: Any, **__: Any
) -> int:
    """Every step multiplies by both weights.

    Args:
        inputs: shape (steps, batch, width).
        input_weight: shape (gates · hidden, width).
        hidden_weight: shape (gates · hidden, hidden).
    """
    return 2 * inputs[0] * inputs[1] * (prod(input_weight) + prod(hidden_weight))

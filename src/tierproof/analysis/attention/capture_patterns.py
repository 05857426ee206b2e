"""Capture the attention of a forward pass while it runs: written out, fused, or inside `nn.MultiheadAttention`."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping
from typing import Any

import torch
from torch import Tensor, nn

from tierproof.analysis.attention.attention_pattern import AttentionPattern
from tierproof.analysis.attention.packed_projection import project_packed
from tierproof.analysis.attention.scaled_product import ScaledProduct
from tierproof.model.observe.attention_capture import AttentionCapture
from tierproof.model.observe.execution_trace import ExecutionTrace
from tierproof.model.observe.harmless import harmless
from tierproof.model.observe.tensor_product import Operand

Observer = Callable[[AttentionPattern], None]


class PatternCapture(AttentionCapture):
    """While active, hands the weights of every attention operation to `observe`, right after the operation.

    A mode of torch functions sees `scaled_dot_product_attention` and `multi_head_attention_forward` as wholes, and
    switches the fused paths of `nn.MultiheadAttention` and `nn.TransformerEncoder` off.

    Args:
        trace: names the running module.
        batch: how many rows the pass has; it tells heads from rows where both are one axis.
        observe: called with each pattern, which it must read before it returns.
    """

    def __init__(self, trace: ExecutionTrace, batch: int, observe: Observer) -> None:
        super().__init__(trace)
        self._batch = batch
        self._observe = observe
        self.unread: list[str] = []

    def __torch_function__(
        self,
        func: Any,
        types: Iterable[type],
        args: tuple[Any, ...] = (),
        kwargs: Mapping[str, Any] | None = None,
    ) -> Any:
        """Run the operation unchanged, then read what attention it was."""
        result = super().__torch_function__(func, types, args, kwargs)
        if getattr(func, "__name__", "") == "multi_head_attention_forward":
            with harmless(self.failures), torch.no_grad():
                self._show(project_packed(args, kwargs or {}), "multi_head_attention")
        return result

    def _note_fused(self, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> None:
        names = ("query", "key", "value", "attn_mask", "dropout_p", "is_causal")
        given = {**dict(zip(names, args, strict=False)), **kwargs}
        query, key, mask = given["query"], given["key"], given.get("attn_mask")
        scale = given.get("scale")
        product = ScaledProduct(
            self._part(query),
            self._part(key),
            mask if mask is None or mask.dim() <= 4 else mask.flatten(0, mask.dim() - 4),
            bool(given.get("is_causal", False)),
            1 / math.sqrt(query.shape[-1]) if scale is None else float(scale),
        )
        with torch.no_grad():
            self._show(product, "scaled_dot_product_attention")

    def _note_mixing(self, weights: Operand) -> None:
        if len(weights.summed) != 1 or len(weights.rest) != 1:
            self.unread.append(f"{self.trace.current}: weights over several axes")
            return
        ordered = self._part(weights.tensor.detach().movedim((*weights.rest, *weights.summed), (-2, -1)))
        batch, heads, queries, keys = ordered.shape
        self._observe(
            AttentionPattern(
                self.trace.current,
                "softmax",
                batch,
                heads,
                queries,
                keys,
                lambda some, rows: ordered[:, some, rows],
            )
        )

    def _measure_product(self, product: Any) -> float:  # noqa: ARG002 - the largest product is not asked for
        return 0.0

    def _show(self, product: ScaledProduct, kind: str) -> None:
        batch, heads, queries = product.query.shape[:3]
        keys = product.key.shape[2]
        self._observe(AttentionPattern(self.trace.current, kind, batch, heads, queries, keys, product.read))

    def _part(self, tensor: Tensor) -> Tensor:
        """[…, positions, width] to [batch, heads, positions, width], by the number of rows of the pass."""
        lead = tensor.shape[:-2]
        if len(lead) == 2 and lead[0] == self._batch:
            return tensor
        if len(lead) == 1:
            batch = self._batch if lead[0] % self._batch == 0 else 1
            return tensor.reshape(batch, -1, *tensor.shape[1:])
        if not lead:
            return tensor[None, None]
        axis = next((at for at, size in enumerate(lead) if size == self._batch), 0)
        return tensor.movedim(axis, 0).flatten(1, len(lead) - 1)


def observe_attention(
    model: nn.Module, run: Callable[[], object], batch: int, observe: Observer
) -> PatternCapture:
    """Run a forward pass and hand every attention pattern of it to `observe`, in order.

    Args:
        model: whose modules name the patterns.
        run: the forward pass; its answer is not kept.
        batch: rows of it.

    Returns:
        the capture, whose `failures` and `unread` tell what could not be read.
    """
    with torch.no_grad(), ExecutionTrace(model) as trace:
        capture = PatternCapture(trace, batch, observe)
        with capture:
            run()
    return capture

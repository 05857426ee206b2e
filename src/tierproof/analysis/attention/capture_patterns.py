"""Capture the attention of a forward pass while it runs: written out, fused, or inside `nn.MultiheadAttention`."""

from __future__ import annotations

import math
import sys
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Mapping
from contextlib import AbstractContextManager, nullcontext
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor, nn

from tierproof.analysis.attention.attention_pattern import AttentionPattern
from tierproof.analysis.attention.bands.element_places import ElementPlaces
from tierproof.analysis.attention.bands.ordered_bands import order_bands
from tierproof.analysis.attention.bands.softmax_uses import (
    SoftmaxKey,
    SoftmaxUses,
    WeightMark,
    find_weight_mark,
)
from tierproof.analysis.attention.flex_product import read_flex_call
from tierproof.analysis.attention.packed_projection import project_packed
from tierproof.analysis.attention.row_layout import RowLayout
from tierproof.analysis.attention.scaled_product import ScaledProduct
from tierproof.analysis.attention.written_product import WrittenProduct
from tierproof.model.observe.attention_capture import AttentionCapture, ValueMark, read_name
from tierproof.model.observe.execution_trace import ExecutionTrace
from tierproof.model.observe.harmless import harmless
from tierproof.model.observe.tensor_product import PRODUCTS, Operand, read_product

Observer = Callable[[AttentionPattern], None]
_EXPONENTIALS = frozenset({"exp", "exp_", "exp2"})
_TIMES = frozenset({"mul", "__mul__", "__rmul__", "multiply"})
# What is made of weights by these is a new quantity.
_LOSING = frozenset({"linear", "embedding", "layer_norm", "sum", "mean", "max", "amax", "argmax", "topk"})
_NO_SOFTMAX = "products of activations without a softmax (linear attention or a state-space layer)"
_OTHER_LAYOUT = "weights in bands or pieces, whose queries and keys could not be told"


class PatternCapture(AttentionCapture):
    """While active, hands the weights of every attention operation to `observe`, right after the operation.

    A mode of torch functions sees `scaled_dot_product_attention` and `multi_head_attention_forward` as wholes, and
    switches the fused paths of `nn.MultiheadAttention` and `nn.TransformerEncoder` off.

    Args:
        trace: names the running module.
        batch: how many rows the pass has; it tells heads from rows where both are one axis.
        observe: called with each pattern, which it must read before it returns.
        banded: softmaxes whose weights lie in bands or pieces, as `missed` of an earlier pass names them: where their
            scores come from is followed element by element, which takes eight bytes for each number of their modules.
    """

    def __init__(
        self, trace: ExecutionTrace, batch: int, observe: Observer, banded: Collection[SoftmaxKey] = ()
    ) -> None:
        super().__init__(trace)
        self._layout = RowLayout(batch)
        self._observe = observe
        self._counts: Counter[str] = Counter()
        self._unread: list[str] = []
        self._uses = SoftmaxUses()
        self._banded = frozenset(banded)
        self._places = ElementPlaces()
        self._followed = ""

    @property
    def missed(self) -> frozenset[SoftmaxKey]:
        """Softmaxes over scores whose weights are used, and were not read as a whole."""
        return self._uses.missed

    @property
    def unread(self) -> list[str]:
        """What could not be read, with the module."""
        return [
            *self._unread,
            *(f"{path or 'the model'}: {_OTHER_LAYOUT}" for path, _ in sorted(self.missed)),
        ]

    def __torch_function__(
        self,
        func: Any,
        types: Iterable[type],
        args: tuple[Any, ...] = (),
        kwargs: Mapping[str, Any] | None = None,
    ) -> Any:
        """Run the operation unchanged, then read what attention it was."""
        result = super().__torch_function__(func, types, args, kwargs)
        name = getattr(func, "__name__", "")
        if self._banded:
            with harmless(self.failures), torch.no_grad():
                self._follow_places(func, read_name(func), args, kwargs or {}, result)
        if name == "multi_head_attention_forward":
            with harmless(self.failures), torch.no_grad():
                self._note_packed(func, args, kwargs or {})
        elif name == "flex_attention":
            with harmless(self.failures), torch.no_grad():
                self._note_flex(args, result)
        return result

    def _note(
        self,
        name: str,
        args: tuple[Any, ...],
        kwargs: Mapping[str, Any],
        result: Any,
        before: tuple[ValueMark, ...],
    ) -> None:
        if name == "scaled_dot_product_attention":
            self._note_fused_result(args, kwargs, result)
        elif name in _EXPONENTIALS and before and before[0].scores is not None:
            self._set(result, ValueMark(weights=True, keys=before[0].keys, exponential=True))
        elif name == "softmax" and before and before[0].scores is not None:
            self._note_weights(args, kwargs, result, before[0])
        else:
            super()._note(name, args, kwargs, result, before)
            self._note_further_use(name, args, result, before)

    def _note_weights(
        self, args: tuple[Any, ...], kwargs: Mapping[str, Any], result: Tensor, scores: ValueMark
    ) -> None:
        """Mark the result of a softmax over scores; put it in order where that is asked for."""
        key = self._uses.begin(self.trace.current)
        self._set(result, WeightMark(weights=True, keys=scores.keys, softmax=key, numbers=result.numel()))
        if key not in self._banded:
            return
        axis = kwargs.get("dim", args[1] if len(args) > 1 else -1)
        places = self._places.find(args[0])
        bands = order_bands(result, places, self._places.origins, int(axis), self._layout.batch)
        if bands is not None:
            self._uses.placed.add(key)
            like = bands.order[..., None]
            self._show(like, bands.keys, "softmax in bands", bands.read, gate=bands.gate)

    def _note_further_use(
        self, name: str, args: tuple[Any, ...], result: Any, before: tuple[ValueMark, ...]
    ) -> None:
        """Follow weights over what loses their layout, such as padding and copies into a band."""
        if name == "__setitem__":
            if isinstance(args[2], Tensor) and self._mark(args[2]) != ValueMark():
                self._set(args[0], self._mark(args[2]))
            return
        mark = find_weight_mark(before)
        if mark is None or name in _LOSING or name in PRODUCTS or name == "softmax":
            return
        if name in _TIMES and _is_spread(args, result, mark.numbers):
            self._uses.note_unread(mark)
        elif isinstance(result, Tensor) and find_weight_mark((self._mark(result),)) is None:
            self._set(result, replace(mark, weights=False, scale=None))

    def _follow_places(
        self, func: Any, name: str, args: tuple[Any, ...], kwargs: Mapping[str, Any], result: Any
    ) -> None:
        """Follow where scores come from, in the modules whose weights are asked for."""
        path = self.trace.current
        inside = next((own for own, _ in self._banded if not own or f"{path}.".startswith(f"{own}.")), None)
        if inside is None:
            return
        if inside != self._followed:
            self._places, self._followed = ElementPlaces(), inside
        self._places.follow(func, name, args, kwargs, result)

    def _note_fused_result(self, args: tuple[Any, ...], kwargs: Mapping[str, Any], result: Tensor) -> None:
        names = ("query", "key", "value", "attn_mask", "dropout_p", "is_causal")
        given = {**dict(zip(names, args, strict=False)), **kwargs}
        query, key, mask = given["query"], given["key"], given.get("attn_mask")
        scale = given.get("scale")
        product = ScaledProduct(
            self._layout.part(query),
            self._layout.part(key),
            mask if mask is None or mask.dim() <= 4 else mask.flatten(0, mask.dim() - 4),
            bool(given.get("is_causal", False)),
            1 / math.sqrt(query.shape[-1]) if scale is None else float(scale),
        )
        with torch.no_grad():
            self._show_product(
                product,
                "scaled_dot_product_attention",
                product.read,
                causal=product.causal and mask is None,
                open=not product.causal and mask is None,
                outputs=lambda: self._layout.part(result.detach()),
                gate=self._gate_leading,
            )

    def _note_packed(self, func: Any, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> None:
        packed = project_packed(args, kwargs)
        self._show_product(
            packed.product,
            "multi_head_attention",
            packed.product.read,
            open=packed.product.mask is None,
            outputs=packed.compute_outputs,
            gate=lambda _result, factors: packed.call_with_gates(func, factors),
        )

    def _note_flex(self, args: tuple[Any, ...], result: Any) -> None:
        flex = read_flex_call(self._layout.part(args[0]), self._layout.part(args[1]), args[3:])
        self._show_product(
            flex.product,
            "flex_attention",
            flex.read,
            outputs=lambda: self._layout.part(result[0].detach()),
            gate=lambda given, factors: (self._gate_leading(given[0], factors), *given[1:]),
        )

    def _gate_leading(self, result: Tensor, factors: Tensor) -> Tensor:
        """A result of [batch and heads in front, queries, width], the output of each head times a factor."""
        return (
            result * self._layout.spread(factors.to(result.dtype), tuple(result.shape[:-2]))[..., None, None]
        )

    def _note_product(self, name: str, args: tuple[Any, ...], kwargs: Mapping[str, Any], result: Any) -> None:
        product = read_product(name, args, kwargs)
        if product is not None:
            tensors = (product.first.tensor, product.second.tensor)
            marks = [self._mark(tensor) for tensor in tensors]
            weights = any(mark.weights for mark in marks)
            other = find_weight_mark(tuple(marks))
            if not weights and other is not None:
                self._uses.note_unread(other)
                self._set(result, ValueMark())
                return
            if not weights and any(map(_is_parameter, tensors)):
                self._set(result, ValueMark())  # a linear layer that is written out
                return
            if not weights and any(mark.scores is not None for mark in marks):
                self._unread.append(f"{self.trace.current or 'the model'}: {_NO_SOFTMAX}")
        super()._note_product(name, args, kwargs, result)

    def _note_mixing(self, weights: Operand, result: Any) -> None:
        mark = self._mark(weights.tensor)
        own = mark if isinstance(mark, WeightMark) else None
        if own is not None and own.softmax in self._uses.placed:
            return
        if len(weights.summed) != 1 or len(weights.rest) != 1:
            if own is None:
                self._unread.append(f"{self.trace.current or 'the model'}: weights over several axes")
            else:
                self._uses.note_unread(own)
            return
        if own is not None:
            self._uses.note_read(own, weights.tensor)
        written = WrittenProduct(weights, self._layout)
        ordered = written.ordered
        exponential = mark.exponential
        outputs: Callable[[], Tensor] | None = lambda: written.order_outputs(result)  # noqa: E731
        if exponential:
            sums = ordered.sum(-1, keepdim=True)
            if bool((sums > 1 + 1e-3).any()):  # the sum divides the mixed values afterwards
                ordered, outputs = ordered / sums, None
        self._show(
            ordered,
            ordered.shape[-1],
            "exponentials" if exponential else "softmax",
            lambda some, rows: ordered[:, some, rows],
            outputs=outputs,
            gate=written.gate,
        )

    def _measure_product(self, product: Any) -> float:  # noqa: ARG002 - the largest product is not asked for
        return 0.0

    def _show_product(
        self, product: ScaledProduct, kind: str, read: Callable[[slice, slice], Tensor], **known: Any
    ) -> None:
        self._show(product.query, product.key.shape[2], kind, read, **known)

    def _show(
        self, like: Tensor, keys: int, kind: str, read: Callable[[slice, slice], Tensor], **known: Any
    ) -> None:
        """Hand on a pattern of as many rows, heads and queries as the tensor `like` has in front."""
        path = self.trace.current
        occurrence = self._counts[path]
        self._counts[path] += 1
        batch, heads, queries = like.shape[:3]
        self._observe(AttentionPattern(path, kind, batch, heads, queries, keys, read, occurrence, **known))


def _is_spread(args: tuple[Any, ...], result: Any, numbers: int) -> bool:
    """Whether weights are multiplied with something larger than themselves: values, over which a sum follows."""
    others = [each for each in args[:2] if isinstance(each, Tensor)]
    return (
        isinstance(result, Tensor)
        and len(others) == 2
        and result.numel() > numbers
        and all(each.numel() > 1 and not _is_parameter(each) for each in others)
    )


def _is_parameter(tensor: Tensor) -> bool:
    """Whether a tensor is a parameter or a view of one."""
    return isinstance(tensor, nn.Parameter) or isinstance(tensor._base, nn.Parameter)


def observe_attention(
    model: nn.Module,
    run: Callable[[], object],
    batch: int,
    observe: Observer,
    banded: Collection[SoftmaxKey] = (),
) -> PatternCapture:
    """Run a forward pass and hand every attention pattern of it to `observe`, in order.

    Args:
        model: whose modules name the patterns.
        run: the forward pass; its answer is not kept.
        batch: rows of it.
        banded: softmaxes to put in order, as `missed` of an earlier pass names them.

    Returns:
        the capture, whose `failures` and `unread` tell what could not be read.
    """
    with torch.no_grad(), ExecutionTrace(model) as trace, run_eagerly():
        capture = PatternCapture(trace, batch, observe, banded)
        with capture:
            run()
    return capture


def run_eagerly() -> AbstractContextManager[object]:
    """Inside the `with`, compiled functions run as they were written, so that their operations are seen."""
    if "torch._dynamo" not in sys.modules:  # nothing was compiled; loading the compiler takes seconds
        return nullcontext()
    stance: AbstractContextManager[object] = torch.compiler.set_stance("force_eager")
    return stance

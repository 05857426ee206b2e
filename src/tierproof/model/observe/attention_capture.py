"""Capture attention as a forward pass computes it: scores, their scale, and the weights that mix values.

A torch function mode follows tensors from the product of queries and keys, over scaling and masking, through
the softmax, to the product with the values. It also sees `F.scaled_dot_product_attention`. It does not see inside
`nn.MultiheadAttention`, TorchScript, compiled code and external kernels.
"""

from __future__ import annotations

import math
import weakref
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import torch
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode

from tierproof.model.observe.execution_trace import ExecutionTrace
from tierproof.model.observe.harmless import harmless
from tierproof.model.observe.mixing_weights import measure_largest_share, measure_sum_error
from tierproof.model.observe.tensor_product import PRODUCTS, Operand, read_product

# Operations that hand their input's values on, rearranged, masked or shifted.
_PASSING = frozenset(
    {"transpose", "permute", "view", "reshape", "contiguous", "unsqueeze", "squeeze", "expand", "expand_as",
     "flatten", "unflatten", "to", "float", "half", "bfloat16", "double", "type", "type_as", "clone", "dropout",
     "masked_fill", "masked_fill_", "where",
     "chunk", "split", "tensor_split", "unbind", "__getitem__", "cat", "concat", "stack", "repeat",
     "repeat_interleave", "clamp", "clip", "narrow", "select", "movedim", "swapaxes", "swapdims", "neg", "__neg__",
     "tril", "triu", "view_as", "mT", "T", "detach", "nan_to_num", "index_select", "roll"}
)  # fmt: skip
_SUMS = frozenset(
    {"add", "add_", "__add__", "__radd__", "__iadd__", "sub", "sub_", "__sub__", "__isub__", "rsub", "__rsub__"}
)  # fmt: skip
_TIMES = frozenset({"mul", "mul_", "__mul__", "__rmul__", "__imul__", "multiply"})
_OVER = frozenset({"div", "div_", "__truediv__", "__itruediv__", "true_divide", "divide"})
# Their results are new quantities, to which an earlier scale does not apply.
_FRESH = frozenset(
    {"linear", "embedding", "conv1d", "conv2d", "layer_norm", "rms_norm", "group_norm", "addmm", "cos", "sin",
     "exp", "log", "pow", "rsqrt", "sqrt", "mean", "sum", "arange", "sigmoid", "square", "__pow__"}
)  # fmt: skip
_NORMS = frozenset({"layer_norm", "rms_norm", "group_norm", "normalize"})


@dataclass(frozen=True)
class AttentionScores:
    """How the scores of one softmax over products of queries and keys were computed.

    Attributes:
        path: of the module that multiplied queries and keys.
        width: size of the axis over which they were multiplied.
        scale: product of all plain factors on queries, keys and scores; None if it is unknown
            (learned factors, normalised queries, operations that are not followed).
        same: whether queries and keys are equal up to a factor.
        fused: whether they were computed by `scaled_dot_product_attention`.
        largest_product: largest magnitude of the product itself, before factors on the scores; 0 where fused.
        later_scale: product of the plain factors on the scores alone; None if it is unknown.
        keys_are_values: whether what is mixed is what was compared, as in attention before the transformer (Luong).
    """

    path: str
    width: int
    scale: float | None
    same: bool
    fused: bool = False
    largest_product: float = 0.0
    later_scale: float | None = 1.0
    keys_are_values: bool = False

    @property
    def relative_scale(self) -> float | None:
        """The scale times √width: 1 for the usual choice."""
        return None if self.scale is None else self.scale * math.sqrt(self.width)


@dataclass(frozen=True)
class AttentionMixing:
    """How one tensor of attention weights was used to mix values.

    Attributes:
        path: of the module that multiplied weights and values.
        key_sum_error: largest |sum − 1| over the mixed axis, without rows that are entirely zero.
        query_sum_error: the same over the other axis.
        queries, keys: sizes of the two axes.
        largest_share: largest weight, as a mean over queries that see four keys or more; None if none does.
    """

    path: str
    key_sum_error: float
    query_sum_error: float
    queries: int
    keys: int
    largest_share: float | None = None


@dataclass(frozen=True)
class ValueMark:
    """What is known about a tensor: its plain scale, and whether it holds scores or weights.

    `keys` is the operand that the scores, or the scores behind the weights, were computed from. `exponential` weights
    come from exp instead of softmax, and may not sum to one yet.
    """

    scale: float | None = 1.0
    scores: AttentionScores | None = None
    weights: bool = False
    keys: Operand | None = None
    exponential: bool = False


_PLAIN = ValueMark()


@dataclass
class AttentionCapture(TorchFunctionMode):
    """While active, collects how attention is computed; `trace` names the running module.

    Attributes:
        scores: one entry per softmax over products of two activations.
        mixings: one entry per product of such a softmax with values.
        failures: what could not be followed, because looking at an operation raised.
    """

    trace: ExecutionTrace
    scores: list[AttentionScores] = field(default_factory=list)
    mixings: list[AttentionMixing] = field(default_factory=list)
    failures: list[str] = field(default_factory=list)
    _marks: dict[int, tuple[weakref.ref[Tensor], ValueMark]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        super().__init__()

    def __torch_function__(
        self,
        func: Any,
        types: Iterable[type],
        args: tuple[Any, ...] = (),
        kwargs: Mapping[str, Any] | None = None,
    ) -> Any:
        """Run the operation unchanged, then record what it did."""
        kwargs = kwargs or {}
        name = read_name(func)
        before = self._before(name, args)
        result = func(*args, **kwargs)
        with harmless(self.failures):
            self._note(name, args, kwargs, result, before)
        return result

    def _mark(self, value: Any) -> ValueMark:
        if not isinstance(value, Tensor):
            return _PLAIN
        found = self._marks.get(id(value))
        return found[1] if found is not None and found[0]() is value else _PLAIN

    def _set(self, result: Any, mark: ValueMark) -> None:
        for tensor in _tensors_of(result):
            if mark == _PLAIN:
                self._marks.pop(id(tensor), None)
            else:
                self._marks[id(tensor)] = (self._refer(tensor), mark)

    def _refer(self, tensor: Tensor) -> weakref.ref[Tensor]:
        """A weak reference, whose mark goes with the tensor: so a pass holds no more activations than without."""
        identity, marks = id(tensor), self._marks

        def forget(reference: weakref.ref[Tensor]) -> None:
            if identity in marks and marks[identity][0] is reference:
                del marks[identity]

        return weakref.ref(tensor, forget)

    def _before(self, name: str, args: tuple[Any, ...]) -> tuple[ValueMark, ...]:
        """Marks of the operands, read before an operation in place changes what they mean."""
        return tuple(self._mark(value) for value in _flatten(args)) if name else ()

    def _note(
        self,
        name: str,
        args: tuple[Any, ...],
        kwargs: Mapping[str, Any],
        result: Any,
        before: tuple[ValueMark, ...],
    ) -> None:
        if name == "scaled_dot_product_attention":
            self._note_fused(args, kwargs)
        elif name == "softmax":
            self._note_softmax(before, result)
        elif name in PRODUCTS:
            self._note_product(name, args, kwargs, result)
        elif name in _TIMES or name in _OVER:
            self._set(result, self._scale(name, args, before))
        elif name in _SUMS:
            self._set(result, _add_up(args, before, result))
        elif name in _PASSING:
            self._set(result, _strongest(before))
        elif name in _NORMS:
            self._set(result, ValueMark(scale=None))
        elif name not in _FRESH and any(mark != _PLAIN for mark in before):
            strongest = _strongest(before)
            if strongest.scores is not None:
                strongest = replace(strongest, scores=replace(strongest.scores, scale=None, later_scale=None))
            self._set(result, replace(strongest, scale=None, weights=False))

    def _note_fused(self, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> None:
        query = args[0] if args else kwargs["query"]
        key = args[1] if len(args) > 1 else kwargs["key"]
        width = int(query.shape[-1])
        scale = kwargs.get("scale")
        own = 1 / math.sqrt(width) if scale is None else float(scale)
        marks = (self._mark(query).scale, self._mark(key).scale)
        before = None if marks[0] is None or marks[1] is None else marks[0] * marks[1]
        total = None if before is None else before * own
        self.scores.append(
            AttentionScores(self.trace.current, width, total, _are_same(query, key, before), fused=True)
        )

    def _note_softmax(self, before: tuple[ValueMark, ...], result: Any) -> None:
        mark = before[0] if before else _PLAIN
        if mark.scores is None:
            self._set(result, _PLAIN)
            return
        self.scores.append(mark.scores)
        self._set(result, ValueMark(weights=True, keys=mark.keys))

    def _scale(self, name: str, args: tuple[Any, ...], before: tuple[ValueMark, ...]) -> ValueMark:
        mark = _strongest(before)
        values = [
            value for value in args[:2] if not (isinstance(value, Tensor) and self._mark(value) != _PLAIN)
        ]
        factor: float | None = 1.0
        for value in values if mark != _PLAIN or len(values) > 1 else ():
            factor = _combine(factor, _read_factor(value))
        if name in _OVER and factor:
            factor = 1 / factor
        if mark == _PLAIN and factor == 1.0:
            return mark
        scores = mark.scores
        if scores is not None:
            later = _combine(scores.later_scale, factor)
            scores = replace(scores, scale=_combine(scores.scale, factor), later_scale=later)
            return replace(mark, scores=scores)
        return replace(mark, scale=_combine(mark.scale, factor))

    def _note_product(self, name: str, args: tuple[Any, ...], kwargs: Mapping[str, Any], result: Any) -> None:
        product = read_product(name, args, kwargs)
        if product is None:
            self._set(result, _PLAIN)
            return
        for operand, mixed in ((product.first, product.second), (product.second, product.first)):
            mark = self._mark(operand.tensor)
            if mark.weights:
                self._note_mixing(operand, result)
                if self.scores and mark.keys is not None and _hold_the_same(mark.keys, mixed):
                    self.scores[-1] = replace(self.scores[-1], keys_are_values=True)
                self._set(result, _PLAIN)
                return
        first, second = product.first.tensor, product.second.tensor
        if isinstance(first, nn.Parameter) or isinstance(second, nn.Parameter):
            self._set(result, _PLAIN)
            return
        ratio = _combine(self._mark(first).scale, self._mark(second).scale)
        width = math.prod(first.shape[axis] for axis in product.first.summed)
        same = name != "einsum" and _are_same(first, second.transpose(-2, -1), ratio)
        scale = _combine(ratio, product.factor)
        scores = AttentionScores(
            self.trace.current, width, scale, same, largest_product=self._measure_product(result)
        )
        self._set(result, ValueMark(scores=scores, keys=product.second))

    def _note_mixing(self, weights: Operand, result: Any) -> None:  # noqa: ARG002 - for those who look closer
        """Look at weights that are multiplied with values, and at the product."""
        self.mixings.append(_measure_mixing(self.trace.current, weights.tensor, weights.summed, weights.rest))

    def _measure_product(self, product: Any) -> float:
        """The largest magnitude of a product of queries and keys."""
        return _measure_largest(product)


def _hold_the_same(keys: Operand, values: Operand) -> bool:
    """Whether the keys of a product are the values of the next, each with positions first and features last."""
    if len(keys.rest) != 1 or len(keys.summed) != 1 or len(values.rest) != 1 or len(values.summed) != 1:
        return False
    first = keys.tensor.movedim((keys.rest[0], keys.summed[0]), (-2, -1))
    second = values.tensor.movedim((values.summed[0], values.rest[0]), (-2, -1))
    return first.shape == second.shape and torch.equal(first, second)


def _measure_largest(result: Any) -> float:
    """The largest finite magnitude of a product."""
    if not isinstance(result, Tensor) or not result.numel() or result.is_meta:
        return 0.0
    values = result.detach().abs()
    return float(values.nan_to_num(nan=0.0, posinf=0.0).max())


def _measure_mixing(
    path: str, weights: Tensor, keys: Sequence[int], queries: Sequence[int]
) -> AttentionMixing:
    values = weights.detach().double()
    return AttentionMixing(
        path,
        measure_sum_error(values, keys),
        measure_sum_error(values, queries),
        math.prod(values.shape[axis] for axis in queries),
        math.prod(values.shape[axis] for axis in keys),
        measure_largest_share(values, keys),
    )


def _read_factor(value: Any) -> float | None:
    """The value of a plain number or one-element constant; None for a factor that is learned or varies along a row.

    A factor of one element per entry (rotary cosines, a multiplied mask) leaves the scale alone.
    """
    if isinstance(value, int | float) and not isinstance(value, bool):
        return float(value)
    if not isinstance(value, Tensor) or isinstance(value, nn.Parameter):
        return None if isinstance(value, nn.Parameter) else 1.0
    if torch._C._functorch.is_functorch_wrapped_tensor(value):
        return None  # transformers builds masks under vmap, where no tensor has one value
    if value.numel() == 1:
        return float(value.detach()) if not value.requires_grad else None
    return None if value.dim() and value.shape[-1] == 1 else 1.0


def _combine(first: float | None, second: float | None) -> float | None:
    return None if first is None or second is None else first * second


def _strongest(marks: tuple[ValueMark, ...]) -> ValueMark:
    """The mark of the result of several operands: weights come first, then scores, then a scale other than 1."""
    for test in (_holds_weights, _holds_scores, _has_scale):
        found = next((mark for mark in marks if test(mark)), None)
        if found is not None:
            return found
    return _PLAIN


def _add_up(args: tuple[Any, ...], before: tuple[ValueMark, ...], result: Any) -> ValueMark:
    """The mark of a sum: what is added to scores or weights is a bias or a mask and leaves their scale alone.

    A factor belongs to a sum only if all that is added carries it. Two whole activations of different factors add up
    to a new quantity, to which neither applies (a low-rank adapter beside its layer); a bias among them leaves unknown
    what the factor of the sum is.
    """
    strongest = _strongest(before)
    if strongest.scores is not None or strongest.weights:
        return strongest
    pairs = [(v, m) for v, m in zip(args[:2], before, strict=False) if isinstance(v, Tensor)]
    if len({mark.scale for _, mark in pairs}) <= 1:
        return strongest
    whole = isinstance(result, Tensor) and all(
        value.shape == result.shape and not isinstance(value, nn.Parameter) for value, _ in pairs
    )
    return _PLAIN if whole else ValueMark(scale=None)


def _holds_weights(mark: ValueMark) -> bool:
    return mark.weights


def _holds_scores(mark: ValueMark) -> bool:
    return mark.scores is not None


def _has_scale(mark: ValueMark) -> bool:
    return mark.scale != 1.0


def _are_same(query: Tensor, key: Tensor, ratio: float | None) -> bool:
    """Whether queries and keys are equal up to the factor that one of them was multiplied with."""
    if query.shape != key.shape or query.numel() < 4 or ratio is None or ratio == 0:
        return False
    first, second = query.detach().float(), key.detach().float()
    return any(
        torch.allclose(first, second * factor, rtol=1e-4, atol=1e-7) for factor in {ratio, 1 / ratio, 1.0}
    )


def _flatten(args: tuple[Any, ...]) -> list[Any]:
    flat: list[Any] = []
    for value in args:
        flat.extend(value if isinstance(value, list | tuple) else (value,))
    return flat


def _tensors_of(result: Any) -> list[Tensor]:
    if isinstance(result, Tensor):
        return [result]
    return [item for item in result if isinstance(item, Tensor)] if isinstance(result, list | tuple) else []


def read_name(func: Callable[..., Any]) -> str:
    """The name of a torch function; of an attribute such as `T`, that of the attribute."""
    name = str(getattr(func, "__name__", ""))
    if name == "__get__":
        return str(getattr(getattr(func, "__self__", None), "__name__", ""))
    return name

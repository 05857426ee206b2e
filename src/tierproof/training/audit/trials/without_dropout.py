"""Run a step with dropout switched off and all modes left as they are."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import torch
from torch import Tensor
from torch.overrides import TorchFunctionMode

_DROPOUTS = frozenset(
    {"dropout", "dropout_", "dropout1d", "dropout2d", "dropout3d", "native_dropout"}
    | {"alpha_dropout", "alpha_dropout_", "feature_dropout", "feature_dropout_", "feature_alpha_dropout"}
)


# Their one number that is no integer is the dropout between layers.
_RECURRENT = frozenset({"lstm", "gru", "rnn_tanh", "rnn_relu"})


class WithoutDropout(TorchFunctionMode):
    """While active, dropout gives its input back, in modules, in functions and inside fused attention."""

    def __torch_function__(
        self,
        func: Any,
        types: Iterable[type],
        args: tuple[Any, ...] = (),
        kwargs: Mapping[str, Any] | None = None,
    ) -> Any:
        """Run the operation without its dropout."""
        kwargs = dict(kwargs or {})
        name = getattr(func, "__name__", "")
        if func is Tensor.backward:
            return self._run_backward(*args, **kwargs)
        if name in _DROPOUTS:
            values = args[0] if args else kwargs["input"]
            return (
                (values, values.new_ones(values.shape, dtype=torch.bool))
                if name == "native_dropout"
                else values
            )
        if name == "scaled_dot_product_attention":
            args = (*args[:4], 0.0, *args[5:]) if len(args) > 4 else args
            if "dropout_p" in kwargs:
                kwargs["dropout_p"] = 0.0
        elif name in _RECURRENT:
            args = tuple(0.0 if isinstance(each, float) else each for each in args)
        elif name == "multi_head_attention_forward":
            args, kwargs = _silence_packed(args, kwargs)
        return func(*args, **kwargs)

    @staticmethod
    def _run_backward(tensor: Tensor, gradient: Any = None, *rest: Any, **kwargs: Any) -> None:
        """`Tensor.backward` with this mode still on: checkpointing runs forward passes again inside of it."""
        with WithoutDropout():
            torch.autograd.backward(tensor, gradient, *rest, **kwargs)


def _silence_packed(args: tuple[Any, ...], kwargs: dict[str, Any]) -> tuple[tuple[Any, ...], dict[str, Any]]:
    """The arguments of `F.multi_head_attention_forward` with `dropout_p`, the eleventh, at zero."""
    if len(args) > 10:
        return (*args[:10], 0.0, *args[11:]), kwargs
    return args, {**kwargs, "dropout_p": 0.0}

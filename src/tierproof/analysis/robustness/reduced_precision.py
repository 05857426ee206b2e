"""Run a model in bfloat16 or float16, or with its linear layers in int8, without changing it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from contextlib import nullcontext
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode

from tierproof.model.call.call import Call
from tierproof.model.call.substitution import convert_call, convert_tensors, run_substituted
from tierproof.model.describe.subject import Subject
from tierproof.model.sizes.wide_products import WideProducts

ROUNDING = {"float16": 2.0**-11, "bfloat16": 2.0**-8, "int8": 1 / 254}
"""The largest relative rounding error of a value in each precision; of int8, relative to the largest of its row."""

_INPUT_LEVELS = 127


class Int8Linears(TorchFunctionMode):
    """While active, the linear layers of a model compute as `torch.ao.quantization.quantize_dynamic` makes them.

    Weights are rounded to int8 with one scale for a tensor, inputs to 7 bits with a scale and a zero point for each
    call. The product is computed in float, so it needs no kernels and no copy of the model. Transformers' `Conv1D` is
    a linear layer too.
    """

    def __init__(self, model: nn.Module) -> None:
        super().__init__()
        linears = (module for module in model.modules() if isinstance(module, nn.Linear))
        self._weights = {id(module.weight) for module in linears}
        self._rows = {id(m.weight) for m in model.modules() if type(m).__name__ == "Conv1D"}
        self.layers = 0

    def __torch_function__(
        self,
        func: Any,
        types: Iterable[type],
        args: tuple[Any, ...] = (),
        kwargs: Mapping[str, Any] | None = None,
    ) -> Any:
        """Round the operands of a linear layer."""
        kwargs = dict(kwargs or {})
        if func is F.linear and len(args) >= 2 and id(args[1]) in self._weights:
            self.layers += 1
            return func(_round_input(args[0]), _round_weight(args[1]), *args[2:], **kwargs)
        if func is torch.addmm and len(args) == 3 and id(args[2]) in self._rows:
            self.layers += 1
            return func(args[0], _round_input(args[1]), _round_weight(args[2]), **kwargs)
        return func(*args, **kwargs)


def _round_weight(weight: Tensor) -> Tensor:
    """Symmetric int8 with one scale for each tensor, as the default dynamic observer has it."""
    low, high = torch.aminmax(weight)
    scale = torch.maximum(low.abs(), high.abs()) / 127.5
    if not float(scale) > 0:
        return weight
    return (weight / scale).round_().clamp_(-128, 127).mul_(scale)


def _round_input(values: Tensor) -> Tensor:
    """Affine rounding to 7 bits, as PyTorch does on x86: one scale and zero point for the call, zero exact."""
    if not values.is_floating_point() or values.numel() == 0:
        return values
    low, high = (float(end) for end in torch.aminmax(values))
    low, high = min(low, 0.0), max(high, 0.0)
    scale = (high - low) / _INPUT_LEVELS
    if not scale > 0 or scale == float("inf"):
        return values
    zero = round(-low / scale)
    return (values / scale).round_().add_(zero).clamp_(0, _INPUT_LEVELS).sub_(zero).mul_(scale)


class ReducedPrecision:
    """Runs calls of a subject in one precision; converted weights are made once and kept while this object lives."""

    def __init__(self, subject: Subject, precision: str) -> None:
        self._subject = subject
        self._precision = precision
        self._tensors: dict[str, Tensor] | None = None

    def answer(self, call: Call, seed: int) -> Tensor:
        """The answer in this precision.

        Raises:
            Exception: what the model raises in it.
            LookupError: the model has no linear layer to round.
        """
        torch.manual_seed(seed)
        model = self._subject.model
        with torch.no_grad():
            if self._precision == "int8":
                with Int8Linears(model) as mode:
                    output = call.run(model)
                if mode.layers == 0:
                    raise LookupError("no linear layer was seen in the forward pass")
                return self._subject.outputs.select(output)
            dtype = getattr(torch, self._precision)
            if self._tensors is None:
                self._tensors = convert_tensors(model, dtype)
            on_cpu = self._subject.device.type == "cpu"
            with WideProducts() if on_cpu else nullcontext():
                output = run_substituted(model, self._tensors, convert_call(call, dtype))
            return self._subject.outputs.select(output)

"""Half-precision models are checked in float32: rounding hides faults, and looks like faults that are not there.

What only shows in the precision in which the model was given (speed, memory, whether it runs and stays finite there)
is asked of it in that precision.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor, nn

from tierproof.model.call.input_plan import InputPlan
from tierproof.model.sizes.device_memory import find_available_bytes

_HALVES = (torch.float16, torch.bfloat16)
_PLAIN = (*_HALVES, torch.float32, torch.float64)
# Of each value in half precision: itself and a copy for restoring it, both in float32, and a gradient.
_BYTES_FOR_EACH = 12
_LARGEST_SHARE = 0.7


@dataclass(frozen=True)
class GivenPrecision:
    """The half-precision tensors of a model, and the float32 ones that stand in for them.

    Attributes:
        dtype: of most of them.
        tensors: each parameter or buffer, its data as given, and its data in float32.
    """

    dtype: torch.dtype
    tensors: tuple[tuple[Tensor, Tensor, Tensor], ...]

    @property
    def name(self) -> str:
        """`bfloat16` or `float16`."""
        return str(self.dtype).removeprefix("torch.")

    @contextmanager
    def as_given(self) -> Iterator[None]:
        """Inside the `with`, the model has the precision in which it was given."""
        self.exchange(wide=False)
        try:
            yield
        finally:
            self.exchange(wide=True)

    def exchange(self, *, wide: bool) -> None:
        """Give every tensor its float32 data, or the data as given; gradients are dropped."""
        for tensor, given, widened in self.tensors:
            tensor.grad = None
            tensor.data = widened if wide else given

    def round_twin(self, model: nn.Module, twin: nn.Module) -> None:
        """Round the values of another instance as those of the same names in `model` were rounded when it was given."""
        dtypes = {id(tensor): given.dtype for tensor, given, _ in self.tensors}
        rounded = {
            name: dtypes[id(tensor)]
            for name, tensor in (*model.named_parameters(), *model.named_buffers())
            if id(tensor) in dtypes
        }
        with torch.no_grad():
            for name, tensor in (*twin.named_parameters(), *twin.named_buffers()):
                if name in rounded and tensor.is_floating_point():
                    tensor.copy_(tensor.to(rounded[name]))

    def narrow(self, plan: InputPlan) -> InputPlan:
        """The same plan with floating-point arguments in the given precision."""
        return replace(
            plan,
            arguments=tuple(
                replace(
                    argument,
                    dtype=self.dtype,
                    sample=None if argument.sample is None else argument.sample.to(self.dtype),
                )
                if argument.dtype is torch.float32
                else argument
                for argument in plan.arguments
            ),
        )


def widen_model(model: nn.Module) -> GivenPrecision | None:
    """Give a half-precision model float32 data; None, and nothing is changed, where that cannot be done.

    It is not done for quantised and scripted models, tensors of other classes, tensors that share their memory in
    part, and where the memory is short.
    """
    tensors = [*model.parameters(), *model.buffers()]
    halves = [tensor for tensor in tensors if tensor.dtype in _HALVES]
    if not halves or not all(map(_is_plain, tensors)) or not _fits(halves) or _overlap(halves):
        return None
    if any(isinstance(module, torch.jit.ScriptModule) for module in model.modules()):
        return None
    widened: dict[tuple[Any, ...], Tensor] = {}
    exchanged = []
    for tensor in halves:
        given = tensor.detach()
        place = _locate(given)
        if place not in widened:
            widened[place] = given.float()
        exchanged.append((tensor, given, widened[place]))
    sizes = {dtype: sum(t.numel() for t in halves if t.dtype is dtype) for dtype in _HALVES}
    precision = GivenPrecision(max(sizes, key=lambda dtype: sizes[dtype]), tuple(exchanged))
    precision.exchange(wide=True)
    return precision


def widen_inputs(inputs: Any) -> Any:
    """The same inputs with half-precision tensors in float32."""
    if isinstance(inputs, Tensor):
        return inputs.float() if inputs.dtype in _HALVES else inputs
    if isinstance(inputs, Mapping):
        return {name: widen_inputs(value) for name, value in inputs.items()}
    if type(inputs) in (list, tuple):
        return type(inputs)(widen_inputs(value) for value in inputs)
    if callable(inputs):
        return lambda: widen_inputs(inputs())
    return inputs


def _is_plain(tensor: Tensor) -> bool:
    whole = not tensor.is_floating_point() and tensor.dtype not in (torch.int8, torch.uint8)
    return (
        type(tensor) in (Tensor, nn.Parameter)
        and tensor.layout is torch.strided
        and tensor.device.type in ("cpu", "cuda")
        and (whole or tensor.dtype in _PLAIN)
        and not tensor.is_inference()
    )


def _fits(halves: list[Tensor]) -> bool:
    needed: dict[torch.device, int] = {}
    for tensor in halves:
        needed[tensor.device] = needed.get(tensor.device, 0) + _BYTES_FOR_EACH * tensor.numel()
    for device, size in needed.items():
        available = find_available_bytes() if device.type == "cpu" else torch.cuda.mem_get_info(device)[0]
        if available is not None and size > _LARGEST_SHARE * available:
            return False
    return True


def _overlap(halves: list[Tensor]) -> bool:
    """Whether two different views of one storage are among them: data of their own would part them."""
    places = {_locate(tensor) for tensor in halves if tensor.numel()}
    return len({place[0] for place in places}) < len(places)


def _locate(tensor: Tensor) -> tuple[Any, ...]:
    return (
        tensor.untyped_storage()._cdata,
        tensor.storage_offset(),
        tuple(tensor.shape),
        tensor.stride(),
        tensor.dtype,
    )

"""Run a model with other parameter values, without touching its own."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, cast

import torch
from torch import Tensor, nn

from tierproof.model.call.call import Call


class _Substituted:
    """Looks like the model to whoever calls it, and runs it with other tensors."""

    def __init__(self, model: nn.Module, tensors: Mapping[str, Tensor]) -> None:
        self._model = model
        self._tensors = dict(tensors)

    def __call__(self, *arguments: Any, **keywords: Any) -> Any:
        return torch.func.functional_call(self._model, self._tensors, arguments, keywords)


def run_substituted(model: nn.Module, tensors: Mapping[str, Tensor], call: Call) -> Any:
    """Run `call` with the named parameters and buffers replaced; tied ones are replaced together.

    The module's own parameters come back when the call ends, also when it raises.
    """
    return call.run(cast(nn.Module, _Substituted(model, tensors)))


def convert_tensors(model: nn.Module, dtype: torch.dtype) -> dict[str, Tensor]:
    """Copies in `dtype` of all floating parameters and buffers by name; parameters keep `requires_grad`."""
    copies = {}
    for name, parameter in model.named_parameters():
        if parameter.is_floating_point():
            copy = parameter.detach().to(dtype, copy=True)
            copies[name] = copy.requires_grad_(parameter.requires_grad)
    for name, buffer in model.named_buffers():
        if buffer.is_floating_point():
            copies[name] = buffer.detach().to(dtype, copy=True)
    return copies


def convert_call(call: Call, dtype: torch.dtype) -> Call:
    """The same call with its floating arguments in `dtype`."""
    return call.map_tensors(lambda _name, tensor: tensor.to(dtype) if tensor.is_floating_point() else tensor)


def draw_noise(parameter: Tensor, generator: torch.Generator, *, zero_scale: float = 0.02) -> Tensor:
    """Gaussian noise of the parameter's own root mean square.

    A parameter that is exactly zero gets noise of `zero_scale`, the usual width of an initialisation.
    """
    values = parameter.detach()
    scale = float(values.double().square().mean().sqrt()) if values.numel() else 0.0
    noise = torch.randn(values.shape, generator=generator, dtype=torch.float32)
    return (noise * (scale or zero_scale)).to(device=values.device, dtype=values.dtype)


def fill_zeros(model: nn.Module, seed: int, *, scale: float = 0.02) -> dict[str, Tensor]:
    """Random stand-ins for the parameters and floating buffers that are exactly zero throughout.

    Gains stand in at the size they have when they are ones: at `scale`, what a few of them multiply in turn would
    drown in rounding.
    """
    generator = torch.Generator().manual_seed(seed)
    stand_ins = {}
    for name, tensor in (*model.named_parameters(), *model.named_buffers()):
        if tensor.is_floating_point() and tensor.numel() and not bool(tensor.detach().any()):
            gain = tensor.dim() == 1 and not name.endswith("bias")
            stand_ins[name] = draw_noise(tensor, generator, zero_scale=1.0 if gain else scale)
    return stand_ins

"""Run a model with other parameter values, without changing its own."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any, cast

import torch
from torch import Tensor, nn

from tierproof.model.call.call import Call


class _Substituted:
    """Can be called like the model, and runs it with other tensors."""

    def __init__(self, model: nn.Module, tensors: Mapping[str, Tensor]) -> None:
        self._model = model
        self._tensors = _name_once(model, tensors)

    @property
    def training(self) -> bool:
        """Whether the model is in training mode."""
        return self._model.training

    def __call__(self, *arguments: Any, **keywords: Any) -> Any:
        # PyTorch's own search for ties takes a module that two paths lead to for two, and does not put it back.
        return torch.func.functional_call(self._model, self._tensors, arguments, keywords, tie_weights=False)


def _name_once(model: nn.Module, tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The stand-ins by one name for each place that holds a tensor, and by the names of all places that share it."""
    paths: dict[int, str] = {}  # the first of each module
    originals: dict[str, int] = {}  # what lies at each place, by id
    places: dict[int, list[str]] = {}
    # Not `get_submodule`: a model may call a part `parameters`, which as an attribute is the method of that name.
    modules = dict(model.named_modules(remove_duplicate=False))
    for path, module in modules.items():
        is_first = paths.setdefault(id(module), path) == path
        for name, tensor in (*module._buffers.items(), *module._parameters.items()):
            if tensor is not None:
                place = f"{path}.{name}" if path else name
                originals[place] = id(tensor)
                if is_first:
                    places.setdefault(id(tensor), []).append(place)
    named = {}
    for given, tensor in tensors.items():
        path, _, name = given.rpartition(".")
        owner = paths[id(modules[path])]
        named[f"{owner}.{name}" if owner else name] = tensor
        named |= dict.fromkeys(places.get(originals.get(given, 0), ()), tensor)
    return named


def run_substituted(model: nn.Module, tensors: Mapping[str, Tensor], call: Call) -> Any:
    """Run `call` with the named parameters and buffers replaced; tied ones are replaced together.

    The module's own parameters are back when the call ends, also if it raises.
    """
    return call.run(cast(nn.Module, _Substituted(model, tensors)))


def convert_tensors(model: nn.Module, dtype: torch.dtype) -> dict[str, Tensor]:
    """Copy all floating-point parameters and buffers to `dtype`, by name; parameters keep `requires_grad`."""
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
    """The same call with its floating-point arguments in `dtype`."""
    return call.map_tensors(lambda _name, tensor: tensor.to(dtype) if tensor.is_floating_point() else tensor)


def draw_noise(parameter: Tensor, generator: torch.Generator, *, zero_scale: float = 0.02) -> Tensor:
    """Draw Gaussian noise with the shape and the root mean square of a parameter.

    A parameter that is exactly zero gets noise of `zero_scale`, the usual width of an initialisation.
    """
    values = parameter.detach()
    wide = values if values.is_floating_point() and values.itemsize > 1 else values.double()
    norm = float(torch.linalg.vector_norm(wide, dtype=torch.float64)) if values.numel() else 0.0
    scale = norm / math.sqrt(max(values.numel(), 1))
    noise = torch.randn(values.shape, generator=generator, dtype=torch.float32)
    return noise.mul_(scale or zero_scale).to(device=values.device, dtype=values.dtype)


def fill_zeros(model: nn.Module, seed: int, *, scale: float = 0.02) -> dict[str, Tensor]:
    """Draw random stand-ins for the parameters and floating-point buffers that are entirely zero.

    One-dimensional gains are drawn at size 1, not at `scale`: a product of several gains of size `scale` would be lost
    in rounding.
    """
    generator = torch.Generator().manual_seed(seed)
    stand_ins = {}
    for name, tensor in (*model.named_parameters(), *model.named_buffers()):
        if tensor.is_floating_point() and tensor.numel() and not bool(tensor.detach().any()):
            gain = tensor.dim() == 1 and not name.endswith("bias")
            stand_ins[name] = draw_noise(tensor, generator, zero_scale=1.0 if gain else scale)
    return stand_ins

"""Measure the statistics of a layer's weights, and name the published initialisation that they resemble."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from tierproof.model.sizes.extremes import find_extremes
from tierproof.model.sizes.readable_values import make_dense, read_values

# A sample this large gives the standard deviation to 0.3 % and keeps GPT-2 under a tenth of a second.
_MOST_SAMPLED = 100_000
# Further away than this factor, weights resemble no scheme.
_RESEMBLANCE = 1.15
# Largest value over standard deviation of a uniform distribution is √3 = 1.73, of a normal one 3 and more.
_UNIFORM_PEAK = 1.80


@dataclass(frozen=True)
class WeightStatistics:
    """The statistics of one weight tensor.

    Attributes:
        path: module that owns it.
        name: the parameter's name within the module.
        kind: linear, convolution, embedding, norm, recurrent or other.
        shape: of the tensor.
        fan_in, fan_out: inputs and outputs of one unit; 0 for vectors.
        mean, std: over a sample of at most 100,000 elements spread over the tensor.
        peak: largest absolute deviation from the mean over the standard deviation.
        constant: all elements are equal.
        zero: all elements are exactly zero.
        finite: no NaN or infinity.
    """

    path: str
    name: str
    kind: str
    shape: tuple[int, ...]
    fan_in: int
    fan_out: int
    mean: float
    std: float
    peak: float
    constant: bool
    zero: bool
    finite: bool

    @property
    def random(self) -> bool:
        """A finite matrix whose elements differ."""
        return self.finite and not self.constant and len(self.shape) >= 2


def measure_weight(module: nn.Module, path: str, name: str, weight: Tensor) -> WeightStatistics:
    """Measure one parameter of a module."""
    read = read_values(weight)
    values = (weight.detach() if read is None else read).reshape(-1)
    smallest, largest = find_extremes(values)
    finite = math.isfinite(smallest) and math.isfinite(largest)
    first = values[:1]
    constant = values.numel() > 0 and (
        bool((values == first).all()) if values.is_complex() else smallest == largest
    )
    sample = values[:: max(1, values.numel() // _MOST_SAMPLED)].double()
    mean = float(sample.mean()) if sample.numel() else 0.0
    std = float(sample.std()) if sample.numel() > 1 else 0.0
    peak = float((sample - mean).abs().max()) / std if std > 0 else 0.0
    fan_in, fan_out = _find_fans(module, weight)
    return WeightStatistics(
        path=path,
        name=name,
        kind=classify_layer(module, name, weight),
        shape=tuple(weight.shape),
        fan_in=fan_in,
        fan_out=fan_out,
        mean=mean,
        std=std,
        peak=peak,
        constant=constant,
        zero=constant and not bool(first.any()),
        finite=finite,
    )


def classify_layer(module: nn.Module, name: str, weight: Tensor) -> str:
    """Name the kind of layer that a parameter belongs to (see `WeightStatistics.kind`)."""
    kind = type(module).__name__
    if isinstance(module, nn.RNNBase | nn.RNNCellBase):
        return "recurrent"
    if isinstance(module, nn.modules.conv._ConvNd):
        return "convolution"
    if isinstance(module, nn.Embedding | nn.EmbeddingBag) or "embed" in name.lower() or "pos" in name.lower():
        return "embedding"
    if "norm" in kind.lower() and weight.dim() == 1:
        return "norm"
    if isinstance(module, nn.Linear) or kind == "Conv1D" or weight.dim() in (2, 3):
        return "linear"
    return "other"


def _find_fans(module: nn.Module, weight: Tensor) -> tuple[int, int]:
    if weight.dim() < 2:
        return 0, 0
    if isinstance(module, nn.modules.conv._ConvNd):
        return nn.init._calculate_fan_in_and_fan_out(weight)
    if isinstance(module, nn.Embedding | nn.EmbeddingBag):
        return weight.shape[1], weight.shape[0]
    if type(module).__name__ == "Conv1D" and not isinstance(module, nn.Linear):
        return weight.shape[0], weight.shape[1]  # transformers' Conv1D keeps (inputs, outputs)
    return weight.shape[-1], weight.shape[-2]


def list_schemes(weight: WeightStatistics, config: Any, layers: int) -> dict[str, float]:
    """The standard deviations that published schemes give a tensor of this kind and shape.

    Sources: PyTorch's defaults; Glorot and Bengio 2010; He et al. 2015; LeCun et al. 1998; GPT-2 (0.02,
    residual projections over √(2·layers)); T5 (Mesh TensorFlow); a config's `initializer_range`.
    """
    if weight.kind == "embedding":
        schemes = {"N(0, 1), PyTorch's embedding": 1.0, "N(0, 0.02)": 0.02}
        if weight.fan_in:
            schemes["1/√width"] = weight.fan_in**-0.5
    elif weight.fan_in:
        schemes = {
            "Kaiming uniform (a=√5), PyTorch's linear": 1 / math.sqrt(3 * weight.fan_in),
            "Xavier": math.sqrt(2 / (weight.fan_in + weight.fan_out)),
            "Kaiming": math.sqrt(2 / weight.fan_in),
            "1/√fan_in (LeCun, T5)": weight.fan_in**-0.5,
            "orthogonal": max(weight.fan_in, weight.fan_out) ** -0.5,
            "N(0, 0.02)": 0.02,
        }
        if layers:
            schemes["N(0, 0.02/√(2·layers)), GPT-2's residual"] = 0.02 / math.sqrt(2 * layers)
    else:
        schemes = {}
    if weight.kind == "recurrent" and weight.shape:
        schemes["uniform ±1/√hidden, PyTorch's recurrent"] = 1 / math.sqrt(3 * weight.shape[-1])
    for name in ("initializer_range", "init_std"):
        declared = getattr(config, name, None)
        if isinstance(declared, float) and declared > 0 and schemes:
            schemes[f"N(0, {declared:g}), the config's {name}"] = declared
    return schemes


def name_scheme(weight: WeightStatistics, schemes: dict[str, float]) -> tuple[str, float | None]:
    """The scheme that a tensor resembles and its standard deviation; ("unrecognised", nearest) if none is close."""
    if weight.zero:
        return "zeros", 0.0
    if weight.constant:
        return "ones" if weight.mean == 1.0 else f"constant {weight.mean:g}", 0.0
    if not schemes or not weight.finite or weight.std <= 0:
        return "unrecognised", None

    def distance(name: str) -> float:
        # Where two schemes have one width, the shape of the distribution decides.
        uniform = "uniform" in name
        penalty = 0.05 if uniform != (weight.peak < _UNIFORM_PEAK) else 0.0
        return abs(math.log(weight.std / schemes[name])) + penalty

    nearest = min(schemes, key=distance)
    close = abs(math.log(weight.std / schemes[nearest])) <= math.log(_RESEMBLANCE)
    return (nearest if close else "unrecognised"), schemes[nearest]


def is_frozen_mask(parameter: nn.Parameter) -> bool:
    """Whether a parameter is an additive mask: it is frozen, and what is not finite in it is −inf."""
    if parameter.requires_grad or parameter.is_meta or not parameter.is_floating_point():
        return False
    values = make_dense(parameter.detach())
    endless = ~values.isfinite()
    return bool(endless.any()) and bool((values[endless] == float("-inf")).all())


def looks_trained(model: nn.Module) -> bool:
    """Whether a model looks trained: the scales or biases of some norm differ from each other.

    Every common initialisation gives all scales of a norm one value, and all its biases one value; a single optimiser
    step changes that. A model without norms is judged by its linear biases, which are constant or within ±1/√fan_in
    when they are initialised.
    """
    norms = 0
    for module in model.modules():
        if "norm" not in type(module).__name__.lower():
            continue
        for parameter in module.parameters(recurse=False):
            if parameter.dim() == 1 and parameter.numel() > 1:
                norms += 1
                if not bool((parameter.detach() == parameter.detach()[0]).all()):
                    return True
    if norms:
        return False
    return any(_is_moved(module) for module in model.modules() if isinstance(module, nn.Linear))


def _is_moved(module: nn.Linear) -> bool:
    if module.bias is None or bool((module.bias == module.bias[0]).all()):
        return False
    return bool(module.bias.detach().abs().max() > 1.001 / math.sqrt(module.in_features))


def has_equal_rows_or_columns(weight: Tensor) -> bool:
    """Whether all rows, or all columns, of a matrix are equal."""
    values = make_dense(weight.detach())
    matrix = values.reshape(values.shape[0], -1) if values.dim() > 1 else values
    if matrix.dim() != 2 or min(matrix.shape) < 2:
        return False
    rows = torch.equal(matrix[0], matrix[1]) and bool((matrix == matrix[:1]).all())
    return rows or (torch.equal(matrix[:, 0], matrix[:, 1]) and bool((matrix == matrix[:, :1]).all()))


def fingerprint(weight: Tensor) -> tuple[object, ...]:
    """A key that is equal for bit-equal tensors, and almost never for others."""
    values = make_dense(weight.detach()).reshape(-1)
    sample = values[:: max(1, values.numel() // 64)][:64]
    return (tuple(weight.shape), weight.dtype, tuple(sample.double().tolist()))


def count_layers(model: nn.Module) -> int:
    """The depth of a model: the length of its longest nn.ModuleList."""
    depths = [len(module) for module in model.modules() if isinstance(module, nn.ModuleList)]
    return max(depths, default=0)


def is_shared_memory(first: Tensor, second: Tensor) -> bool:
    """Whether two tensors are tied: the same object, or at the same memory."""
    return first is second or (
        first.untyped_storage().data_ptr() == second.untyped_storage().data_ptr() and torch.numel(first) > 0
    )

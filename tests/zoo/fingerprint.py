"""A second opinion on whether a model is as it was: shares no code with what puts it back."""

from __future__ import annotations

import random
import types
import warnings
from collections import deque

import numpy as np
import torch
from torch import nn

_PLAIN = (bool, int, float, complex, str, bytes, type(None), torch.dtype, torch.device)


def fingerprint(model: nn.Module) -> dict[str, object]:
    """Path -> what is seen there: identities, orders, bytes. Equal before and after, or something changed."""
    seen: dict[int, str] = {}
    out: dict[str, object] = {}
    _look(model, "model", seen, out)
    return out


def _raw(tensor: torch.Tensor) -> object:
    if tensor.device.type == "meta" or tensor.is_nested:
        return None
    if tensor.is_sparse:
        return (_raw(tensor._indices()), _raw(tensor._values()))
    if tensor.layout == torch.sparse_csr:
        return (_raw(tensor.crow_indices()), _raw(tensor.col_indices()), _raw(tensor.values()))
    if tensor.is_mkldnn:
        return tensor.to_dense().numpy().tobytes()
    storage = tensor.untyped_storage()
    return (storage.data_ptr(), storage.nbytes(), bytes(storage.tolist()))


@torch.no_grad()
def _tensor(tensor: torch.Tensor) -> tuple[object, ...]:
    shape = tuple(tensor.shape) if not isinstance(tensor, nn.parameter.UninitializedTensorMixin) else "lazy"
    if shape == "lazy":
        return (type(tensor).__name__,)
    strided = tensor.layout == torch.strided and not tensor.is_nested and not tensor.is_mkldnn
    return (
        type(tensor).__name__,
        str(tensor.dtype),
        str(tensor.device),
        shape,
        (tensor.stride(), tensor.storage_offset()) if strided else None,
        tensor.requires_grad,
        tensor.is_leaf,
        id(tensor.grad_fn) if tensor.grad_fn is not None else None,
        id(tensor.grad) if tensor.is_leaf and tensor.grad is not None else None,
        [(k, id(v)) for k, v in (tensor._backward_hooks or {}).items()],
        [(k, id(v)) for k, v in (tensor._post_accumulate_grad_hooks or {}).items()],
        None if tensor.is_inference() else tensor._version,
        _raw(tensor),
    )


def _look(value: object, path: str, seen: dict[int, str], out: dict[str, object]) -> None:
    if isinstance(
        value, bool | int | float | complex | str | bytes | type(None) | torch.dtype | torch.device
    ):
        out[path] = (type(value).__name__, repr(value))
        return
    if isinstance(value, type | types.ModuleType | types.BuiltinFunctionType):
        out[path] = id(value)
        return
    if id(value) in seen:
        out[path] = ("same as", seen[id(value)])
        return
    seen[id(value)] = path
    out[path] = (id(value), type(value).__qualname__)
    if isinstance(value, torch.Tensor):
        out[f"{path}#tensor"] = _tensor(value)
        if value.is_leaf:
            _look(value.grad, f"{path}.grad", seen, out)
    elif isinstance(value, dict):
        out[f"{path}#keys"] = [k if isinstance(k, str | int | float) else id(k) for k in value]
        for key, item in value.items():
            _look(item, f"{path}[{key!r:.40}]", seen, out)
    elif isinstance(value, list | tuple | deque):
        out[f"{path}#len"] = len(value)
        for index, item in enumerate(value):
            _look(item, f"{path}[{index}]", seen, out)
    elif isinstance(value, set | frozenset):
        out[f"{path}#set"] = sorted(repr(item) for item in value)
    elif isinstance(value, np.ndarray):
        out[f"{path}#array"] = (value.shape, value.dtype.str, value.tobytes())
    elif isinstance(value, torch.Generator):
        out[f"{path}#state"] = bytes(value.get_state().tolist())
    elif isinstance(value, random.Random):
        out[f"{path}#state"] = value.getstate()
    elif isinstance(value, np.random.Generator):
        out[f"{path}#state"] = repr(value.bit_generator.state)
    elif isinstance(value, types.FunctionType):
        for name, cell in zip(value.__code__.co_freevars, value.__closure__ or (), strict=True):
            _look(cell.cell_contents, f"{path}<{name}>", seen, out)
    elif isinstance(value, types.MethodType):
        _look(value.__self__, f"{path}.__self__", seen, out)
    attributes = getattr(value, "__dict__", None)
    if isinstance(attributes, dict):
        out[f"{path}#names"] = list(attributes)
        for name, item in list(attributes.items()):
            _look(item, f"{path}.{name}", seen, out)
    for slot in getattr(type(value), "__slots__", ()):
        if hasattr(value, slot):
            _look(getattr(value, slot), f"{path}.{slot}", seen, out)
        else:
            out[f"{path}.{slot}"] = "unset"
    if type(value).__module__ == "zoo.nasty":
        plain = {k: v for k, v in vars(type(value)).items() if not callable(v) and not k.startswith("__")}
        for name, item in plain.items():
            if not isinstance(item, types.MemberDescriptorType | types.GetSetDescriptorType):
                _look(item, f"{type(value).__qualname__}.{name}", seen, out)


def process_fingerprint() -> dict[str, object]:
    """Settings of the process, read one by one."""
    numpy_state = np.random.get_state()
    return {
        "python": random.getstate(),
        "numpy": (numpy_state[0], numpy_state[1].tobytes(), numpy_state[2:]),
        "torch": bytes(torch.get_rng_state().tolist()),
        "dtype": torch.get_default_dtype(),
        "device": str(torch.empty(0).device),
        "grad": torch.is_grad_enabled(),
        "autocast": (torch.is_autocast_enabled("cpu"), torch.get_autocast_dtype("cpu")),
        "deterministic": torch.are_deterministic_algorithms_enabled(),
        "cudnn": (
            torch.backends.cudnn.benchmark,
            torch.backends.cudnn.deterministic,
            torch.backends.cudnn.enabled,
        ),
        "tf32": (torch.backends.cuda.matmul.fp32_precision, torch.backends.cudnn.allow_tf32),
        "precision": torch.get_float32_matmul_precision(),
        "sdp": (torch.backends.cuda.flash_sdp_enabled(), torch.backends.cuda.math_sdp_enabled()),
        "mkldnn": torch.backends.mkldnn.enabled,
        "threads": torch.get_num_threads(),
        "anomaly": torch.is_anomaly_enabled(),
        "warnings": list(warnings.filters),
        "errors": np.geterr(),
    }


def find_differences(before, after):
    """What is not equal, by name, before and after."""
    names = sorted(set(before) | set(after), key=str)
    return {
        n: (before.get(n, "absent"), after.get(n, "absent")) for n in names if before.get(n) != after.get(n)
    }

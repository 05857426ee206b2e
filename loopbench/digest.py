"""A digest of everything that a step reaches, to see whether it is left as it came."""

from __future__ import annotations

import hashlib
import random
import types
from collections.abc import Iterator
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

_PLAIN = (int, float, complex, str, bytes, bool, type(None), torch.dtype, torch.device)
_OWN = ("loopbench", "__main__")


def take_digest(root: Any) -> dict[str, str]:
    """By path: a hash of each tensor with its bits, gradient and flags, and each plain value; and of the generators."""
    found = dict(_walk("", root, set()))
    found["torch generator"] = _hash(torch.get_rng_state().numpy().tobytes())
    found["python generator"] = _hash(repr(random.getstate()).encode())
    found["numpy generator"] = _hash(repr(np.random.get_state()).encode())
    return found


def _hash(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()[:16]


def _walk(path: str, value: Any, seen: set[int]) -> Iterator[tuple[str, str]]:
    if isinstance(value, Tensor):
        yield path, _describe(value)
    elif isinstance(value, _PLAIN):
        yield path, repr(value)
    elif isinstance(value, torch.Generator):
        yield path, _hash(value.get_state().numpy().tobytes())
    elif isinstance(value, random.Random):
        yield path, _hash(repr(value.getstate()).encode())
    elif isinstance(value, np.ndarray):
        yield path, _hash(value.tobytes())
    elif id(value) not in seen:
        seen.add(id(value))
        for name, inner in _list_inner(value):
            yield from _walk(f"{path}.{name}", inner, seen)


def _describe(tensor: Tensor) -> str:
    bits = (
        _hash(tensor.detach().cpu().contiguous().flatten().view(torch.uint8).numpy().tobytes())
        if tensor.numel()
        else ""
    )
    gradient = "" if not tensor.is_leaf or tensor.grad is None else _describe(tensor.grad)
    return f"{tensor.dtype} {tuple(tensor.shape)} {tensor.requires_grad} {bits} [{gradient}]"


def _list_inner(value: Any) -> Iterator[tuple[str, Any]]:
    if isinstance(value, types.MethodType):
        yield "self", value.__self__
        yield "function", value.__func__
    elif isinstance(value, types.FunctionType):
        if value.__module__.startswith(_OWN):
            for name, cell in zip(value.__code__.co_freevars, value.__closure__ or (), strict=True):
                yield name, cell.cell_contents
            yield from (
                (name, value.__globals__[name])
                for name in value.__code__.co_names
                if name in value.__globals__
            )
    elif isinstance(value, dict):
        yield from ((f"[{_name_key(key)}]", item) for key, item in value.items())
    elif isinstance(value, list | tuple | set | frozenset):
        yield str(len(value)), len(value)
        yield from ((f"[{index}]", item) for index, item in enumerate(value))
    elif isinstance(value, torch.optim.Optimizer):
        yield "groups", value.param_groups
        order = [parameter for group in value.param_groups for parameter in group["params"]]
        yield "state", [value.state.get(parameter) for parameter in order]
    elif not isinstance(value, type | types.ModuleType | types.BuiltinFunctionType):
        hidden = {"_forward_hooks", "_optimizer_step_pre_hooks"} if isinstance(value, nn.Module) else set()
        yield from (
            (name, item) for name, item in getattr(value, "__dict__", {}).items() if name not in hidden
        )


def _name_key(key: Any) -> str:
    return str(key) if isinstance(key, str | int) else type(key).__name__

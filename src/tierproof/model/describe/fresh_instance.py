"""Build another instance of a model's class, as the model's code initialises it."""

from __future__ import annotations

import copy
from types import BuiltinFunctionType, FunctionType
from typing import Any

from torch import Tensor, nn

from tierproof.model.call.propose.transformers_inputs import is_transformers_model
from tierproof.model.describe.recovered_arguments import recover_arguments
from tierproof.model.describe.subject import Subject
from tierproof.model.sizes.size_limit import SizeLimit, TooLargeError

_PLAIN = (bool, int, float, str, type(None))


def build_again(subject: Subject) -> nn.Module | str:
    """An instance of the same class, built with the arguments that are known, or why there is none."""
    model: Any = subject.model
    library = is_transformers_model(model)
    arguments = ((copy.deepcopy(model.config),), {}) if library else recover_arguments(model)
    if isinstance(arguments, str):
        return arguments
    try:
        with subject.device, SizeLimit.for_another(model):
            fresh = type(model)(*arguments[0], **arguments[1])
        if not library and not _is_built_alike(model, fresh):
            return "the constructor arguments of this model are not known"
        moved: nn.Module = fresh.to(subject.device, next(model.parameters()).dtype)
        if subject.given is not None:
            subject.given.round_twin(model, moved)
    except TooLargeError:
        return "the class, built with the arguments that this model shows, is larger than this model"
    except Exception:  # noqa: BLE001 - a class that needs more than its config cannot be rebuilt
        return "the class could not be built again"
    return moved


def _is_built_alike(model: nn.Module, fresh: nn.Module) -> bool:
    """Whether both have the same modules, shapes and plain attributes, apart from modes."""
    first, second = dict(model.named_modules()), dict(fresh.named_modules())
    if list(first) != list(second):
        return False
    shapes = [
        {n: t.shape for n, t in m.state_dict().items() if isinstance(t, Tensor)} for m in (model, fresh)
    ]
    return shapes[0] == shapes[1] and all(
        type(module) is type(second[path]) and _read_plain(module) == _read_plain(second[path])
        for path, module in first.items()
    )


def _read_plain(module: nn.Module) -> dict[str, Any]:
    """The attributes that tell how a module was built: plain values, sequences of them, and functions by name."""
    return {n: _simplify(v) for n, v in vars(module).items() if n != "training" and not n.startswith("__")}


def _simplify(value: Any) -> Any:
    if isinstance(value, _PLAIN):
        return value
    if isinstance(value, list | tuple) and all(isinstance(item, _PLAIN) for item in value):
        return tuple(value)
    if isinstance(value, FunctionType | BuiltinFunctionType | type):
        return f"{value.__module__}.{value.__qualname__}"
    return None  # of anything else only that it is there

"""Record every module call of one forward pass, with copies of its input and output tensors."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils.hooks import RemovableHandle

from tierproof.model.call.call import Call
from tierproof.model.call.outputs import iterate_tensors
from tierproof.model.call.substitution import run_substituted


@dataclass(frozen=True)
class ModuleCall:
    """One call of one module.

    Attributes:
        path: of the module, as `named_modules()` gives it.
        turn: how many calls of the same module came before it.
        inputs: detached copies of the tensors it was given, by path.
        outputs: detached copies of the tensors it returned, by path.
    """

    path: str
    turn: int
    inputs: Mapping[str, Tensor]
    outputs: Mapping[str, Tensor]


def trace_activations(
    model: nn.Module, call: Call, *, seed: int = 0, stand_ins: Mapping[str, Tensor] | None = None
) -> tuple[ModuleCall, ...]:
    """Run `call` without gradients and return every module call in the order of completion.

    A module completes after the modules that it calls, so a container follows its children. Tensors are copied at
    once, because a later operation may change them in place. What happens inside TorchScript modules and fused
    attention is not recorded, only their inputs and outputs.

    Args:
        stand_ins: tensors to run with in place of the model's own, by name.
    """
    calls: list[ModuleCall] = []
    waiting: dict[str, list[dict[str, Tensor]]] = {}
    turns: dict[str, int] = {}
    handles: list[RemovableHandle] = []

    def enter(path: str, args: Any, kwargs: Any) -> None:
        waiting.setdefault(path, []).append(_copy_tensors((args, kwargs)))

    def leave(path: str, output: Any) -> None:
        inputs = waiting[path].pop() if waiting.get(path) else {}
        turn = turns.get(path, 0)
        turns[path] = turn + 1
        calls.append(ModuleCall(path, turn, inputs, _copy_tensors(output)))

    try:
        for path, module in model.named_modules():
            if isinstance(module, torch.jit.ScriptModule):
                continue
            handles.append(
                module.register_forward_pre_hook(
                    lambda _module, args, kwargs, path=path: enter(path, args, kwargs), with_kwargs=True
                )
            )
            handles.append(
                module.register_forward_hook(lambda _module, _args, output, path=path: leave(path, output))
            )
        torch.manual_seed(seed)
        with torch.no_grad():
            if stand_ins:
                run_substituted(model, stand_ins, call)
            else:
                call.run(model)
    finally:
        for handle in handles:
            handle.remove()
    return tuple(calls)


def _copy_tensors(value: Any) -> dict[str, Tensor]:
    return {path: tensor.detach().clone() for path, tensor in iterate_tensors(value)}

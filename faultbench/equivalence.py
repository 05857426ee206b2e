"""Whether a patch changes anything: bit-equal outputs and gradients over the stated inputs, in both modes."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from faultbench.inputs import SIZES, compute_loss, make_inputs, read_outputs
from faultbench.mutant import Mutant, build_host


def find_difference(mutant: Mutant) -> str:
    """What differs first between the mutant and its host, in words; empty where they are equivalent.

    Outputs and gradients (by parameter name) are compared bit by bit, in training and evaluation mode, with
    the same initial state and the same random draws, on two inputs of each size in turn. A cache is filled and
    used where the host has one. What the modules hold in plain attributes afterwards counts too.
    """
    models = []
    for build in (lambda: build_host(mutant.host), mutant.build):
        torch.manual_seed(0)
        models.append(build())
    states = [model.state_dict() for model in models]
    if list(states[0]) != list(states[1]):
        return "names of the state"
    if any(not _are_equal(states[0][name], states[1][name]) for name in states[0]):
        return "initial values"
    for training in (False, True):
        for rows, positions in SIZES:
            difference = ""
            for seed in (0, 1):
                difference = difference or _compare(models, mutant.host, rows, positions, training, seed)
            if difference:
                return f"{difference} at {rows} × {positions}, {'training' if training else 'evaluation'}"
    return "" if _count_kept(models[0]) == _count_kept(models[1]) else "tensors kept after the runs"


def _count_kept(model: nn.Module) -> int:
    """Tensors in plain attributes, and in lists there, of all modules."""
    held = [value for module in model.modules() for name, value in vars(module).items() if name[0] != "_"]
    return sum(isinstance(v, Tensor) for v in held) + sum(len(v) for v in held if isinstance(v, list))


def _compare(models: list[nn.Module], host: str, rows: int, positions: int, training: bool, seed: int) -> str:
    results = [_run(model, host, rows, positions, training, seed) for model in models]
    if isinstance(results[0], str) or isinstance(results[1], str):
        return "an exception" if results[0] != results[1] else ""
    (first, first_gradients), (second, second_gradients) = results
    if len(first) != len(second) or any(not _are_equal(a, b) for a, b in zip(first, second, strict=True)):
        return "outputs"
    if list(first_gradients) != list(second_gradients):
        return "parameters with gradients"
    wrong = [
        name for name in first_gradients if not _are_equal(first_gradients[name], second_gradients[name])
    ]
    return f"the gradient of {wrong[0]}" if wrong else ""


def _run(
    model: nn.Module, host: str, rows: int, positions: int, training: bool, seed: int
) -> tuple[list[Tensor], dict[str, Tensor]] | str:
    model.train(training)
    model.zero_grad(set_to_none=True)
    inputs = make_inputs(host, rows, positions, seed)
    torch.manual_seed(1)
    try:
        output = model(**inputs)
        tensors = read_outputs(output)
        if host == "llama" and not training:
            tensors += _decode(model, inputs["input_ids"])
        compute_loss(output).backward()
    except Exception as error:  # noqa: BLE001 - an exception is a difference too
        return type(error).__name__
    gradients = {n: p.grad.clone() for n, p in model.named_parameters() if p.grad is not None}
    return [t.detach().clone() for t in (*tensors, *inputs.values())], gradients


def _decode(model: nn.Module, tokens: Tensor) -> list[Tensor]:
    """One step on a cache of all tokens but the last."""
    with torch.no_grad():
        filled = model(input_ids=tokens[:, :-1], use_cache=True)
        step = model(input_ids=tokens[:, -1:], past_key_values=filled.past_key_values, use_cache=True)
    return [step.logits]


def _are_equal(first: Tensor, second: Tensor) -> bool:
    return first.shape == second.shape and bool(
        ((first == second) | ((first != first) & (second != second))).all()  # noqa: PLR0124 - NaN
    )

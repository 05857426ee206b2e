"""From a module to a subject: find a call that works, read off what it shows, measure the traits."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor, nn

from tierproof.errors import ForwardError, TargetError, TierproofError
from tierproof.model.call.batch_axis import decide_batch_axis, declares_length_first, find_independent_axes
from tierproof.model.call.call import raised_in_a_call
from tierproof.model.call.extra_arguments import add_padding_mask, add_targets
from tierproof.model.call.forward_signature import ForwardSignature, read_signature
from tierproof.model.call.given_inputs import plan_given_inputs
from tierproof.model.call.guessed_inputs import propose_guessed_inputs
from tierproof.model.call.inputs import BATCH, LENGTH, TARGET_LENGTH, Argument, InputPlan
from tierproof.model.call.max_length import find_max_length
from tierproof.model.call.output_axes import plan_outputs
from tierproof.model.call.outputs import OutputPlan, iterate_tensors
from tierproof.model.call.spec import ModelSpec
from tierproof.model.call.transformers_inputs import is_transformers_model, propose_transformers_inputs
from tierproof.model.describe.measure_traits import measure_traits
from tierproof.model.describe.subject import Subject
from tierproof.model.observe.embedding_probe import LookupProbe, Lookups
from tierproof.model.observe.execution_trace import ExecutionTrace

_MOST_ATTEMPTS_SHOWN = 6
_READS_VALUES = "The forward pass reads values, and parameters on meta have none: check the model on the CPU."


@dataclass(frozen=True)
class _Trial:
    """A call that worked, with everything it returned."""

    plan: InputPlan
    outputs: dict[str, Tensor]
    lookups: Lookups


def prepare_subject(
    model: nn.Module,
    *,
    target: str = "",
    spec: ModelSpec | None = None,
    inputs: Any = None,
    device: torch.device | str | None = None,
    seed: int = 0,
) -> Subject:
    """Work out how to call `model` and what it is.

    Training flags are put back; everything else that a forward pass may change is the caller's to preserve.

    Args:
        target: how the user named the model; its class name by default.
        inputs: sample inputs (see `plan_given_inputs`); worked out when None.
        device: where the model lies; read off its parameters when None.

    Raises:
        TargetError: the module is empty or has no parameter.
        ForwardError: the forward pass raised on every input tried, or ran and then raised on the like.
    """
    spec = spec or ModelSpec()
    refuse_empty(model)
    device = torch.device(device) if device is not None else next(model.parameters()).device
    modes = [(module, module.training) for module in model.modules()]
    try:
        model.eval()
        with torch.no_grad():
            return _prepare(model, target or type(model).__name__, spec, inputs, device, seed)
    except TierproofError:
        raise
    except Exception as error:
        if not raised_in_a_call(error):
            raise
        raise ForwardError(
            f"the forward pass of {type(model).__name__} ran once and then raised: {type(error).__name__}: {error}",
            hint="Does it keep state between calls? What a call leaves behind must not break the next.",
        ) from error
    finally:
        for module, training in modes:
            module.training = training


def refuse_empty(model: object) -> None:
    """Refuse what is no module, and a module without parameters.

    Raises:
        TargetError: saying which of the two it is.
    """
    if not isinstance(model, nn.Module):
        raise TargetError(
            f"cannot check a {type(model).__name__}: it is no torch.nn.Module",
            hint="Give an instance of an nn.Module, not a class or a function.",
        )
    if next(model.parameters(), None) is None:
        raise TargetError(
            f"{type(model).__name__} has no parameters: there is nothing to check",
            hint="Layers must be assigned to self in __init__; those in a plain list are not registered.",
        )


def refuse_cycle(model: nn.Module) -> None:
    """Refuse a module that is registered somewhere below itself: PyTorch's own eval() never ends on it.

    Raises:
        TargetError: naming the two ends of the cycle.
    """
    paths: dict[int, str] = {id(model): ""}
    finished: set[int] = set()
    waiting = [(model, iter(model.named_children()))]
    while waiting:
        module, children = waiting[-1]
        name, child = next(children, ("", None))
        if child is None:
            waiting.pop()
            del paths[id(module)]
            finished.add(id(module))
            continue
        path = f"{paths[id(module)]}.{name}".lstrip(".")
        if id(child) in paths:
            raise TargetError(
                f"{path} is {paths[id(child)] or 'the model itself'}: a module that is registered below itself makes "
                "train(), eval() and to() recur without end",
                hint="Keep such a reference out of the registered modules: in a list, or as a weakref.",
            )
        if id(child) not in finished and next(child.children(), None) is not None:
            paths[id(child)] = path
            waiting.append((child, iter(child.named_children())))


def _prepare(
    model: nn.Module, target: str, spec: ModelSpec, inputs: Any, device: torch.device, seed: int
) -> Subject:
    signature = read_signature(model)
    length, source = find_max_length(model, spec, [])
    trial = _find_working_call(model, _propose(model, signature, spec, inputs), length, device, seed)
    plan = _read_vocabulary(trial.plan, trial.lookups, spec)
    length, source = find_max_length(model, spec, trial.lookups.position_rows)
    if plan.has_length or any(TARGET_LENGTH in a.shape for a in plan.arguments):
        plan = replace(plan, max_length=length, max_length_source=source)
    plan = _orient(model, plan, trial, spec, device, seed)
    plan = _fix_length(model, plan, device, seed)
    outputs = _read_outputs(model, plan, device, seed)

    if inputs is None:
        plan, outputs = add_targets(signature, plan, outputs, lambda p: _read_outputs(model, p, device, seed))
        if not is_transformers_model(model):
            plan = add_padding_mask(model, signature, plan, outputs, device, seed)
    traits = measure_traits(
        model,
        spec,
        plan,
        outputs,
        trial.lookups,
        lambda call: outputs.select(call.run(model)),
        lambda size: plan.make(batch=1, length=size, seed=seed, device=device),
    )
    return Subject(model, target, spec, plan, outputs, traits, device)


def _propose(
    model: nn.Module, signature: ForwardSignature, spec: ModelSpec, inputs: Any
) -> Iterator[InputPlan]:
    if inputs is not None:
        yield plan_given_inputs(inputs, signature, spec)
        return
    if is_transformers_model(model):
        for plan in propose_transformers_inputs(model, signature, spec):
            yield plan
            if plan.padding and next(model.parameters()).is_meta:
                bare = _without_masks(plan)  # whether a mask hides anything is asked of its values
                yield from (bare, replace(bare, constants={}))  # and without a cache, of positions too
    yield from propose_guessed_inputs(model, signature, spec)


def _without_masks(plan: InputPlan) -> InputPlan:
    kept = tuple(a for a in plan.arguments if a.role not in ("mask", "hide_mask"))
    return replace(plan, arguments=kept, padding="")


def _find_working_call(
    model: nn.Module, proposals: Iterator[InputPlan], max_length: int | None, device: torch.device, seed: int
) -> _Trial:
    attempts: dict[str, str] = {}
    deepest: ExecutionTrace | None = None
    every = [(plan, size) for plan in proposals for size in _propose_sizes(plan, max_length)]
    # At length 1 an axis of channels passes for the length: that is tried where nothing else runs.
    every.sort(key=lambda one: one[1][1] == 1)
    for plan, (batch, length) in every:
        sized = replace(plan, default_batch=batch, default_length=length)
        call = sized.make(seed=seed, device=device)
        words = f"one dict of {call.describe()}" if plan.style == "mapping" else call.describe()
        with warnings.catch_warnings(), ExecutionTrace(model) as trace:
            warnings.simplefilter("ignore")  # a wrong guess may warn before it raises
            try:
                with LookupProbe(call.tensors) as probe:
                    output = call.run(model)
            except Exception as error:  # noqa: BLE001 - every failed attempt is told in ForwardError
                attempts[words] = f"{type(error).__name__}: {error}".splitlines()[0]
                if deepest is None or len(trace.executed) > len(deepest.executed):
                    deepest = trace
                continue
        tensors = dict(iterate_tensors(output))
        if any(t.is_floating_point() or t.is_complex() for t in tensors.values()):
            return _Trial(sized, tensors, probe.lookups)
        attempts[words] = "returned no floating-point tensor"
    raise _explain_failure(model, attempts, deepest)


def _propose_sizes(plan: InputPlan, max_length: int | None) -> list[tuple[int, int]]:
    given = any(argument.sample is not None for argument in plan.arguments)
    if given:
        return [(plan.default_batch, plan.default_length)]
    if not any(size in argument.shape for argument in plan.arguments for size in (LENGTH, TARGET_LENGTH)):
        return [(2, 16), (1, 16)]
    wanted = [16 if max_length is None else min(16, max_length), 8, 4]
    if max_length is not None and max_length <= 8192:
        wanted.append(max_length)
    wanted += [32, 64, 128, 1]
    sizes = [(2, length) for length in dict.fromkeys(wanted) if max_length is None or length <= max_length]
    return [*sizes, (1, sizes[0][1])]


def _explain_failure(
    model: nn.Module, attempts: dict[str, str], deepest: ExecutionTrace | None
) -> ForwardError:
    shown = list(attempts.items())[:_MOST_ATTEMPTS_SHOWN]
    lines = [f"  {call}\n      {error}" for call, error in shown]
    if len(attempts) > len(shown):
        lines.append(f"  … and {len(attempts) - len(shown)} more")
    executed = deepest.executed if deepest is not None else ()
    layers = ", ".join(path or type(model).__name__ for path in executed[-12:]) or "none"
    return ForwardError(
        f"the forward pass of {type(model).__name__} raised on every input tried:\n"
        + "\n".join(lines)
        + f"\nLayers executed before the error: {layers}",
        hint=_READS_VALUES
        if any("meta tensors" in error for error in attempts.values())
        else (
            "If the inputs are wrong, give them: inputs=… in Python, --inputs FILE.py:NAME on the command line, "
            "or declare the model with ModelSpec (vocab_size, max_length, image_size, features, …)."
        ),
    )


def _read_vocabulary(plan: InputPlan, lookups: Lookups, spec: ModelSpec) -> InputPlan:
    """Set each token argument's range to the table it was looked up in."""
    for argument in plan.arguments:
        if argument.role != "tokens" or argument.sample is not None:
            continue
        rows = [size for size in lookups.rows.get(argument.name, []) if size > 1]
        if spec.vocab_size is not None:
            continue
        if rows:
            high = min(rows) if argument.high <= 2 else min(argument.high, *rows)
            plan = plan.with_argument(replace(argument, high=high))
        elif argument.high <= 2:
            plan = replace(
                plan,
                assumptions=(
                    *plan.assumptions,
                    f"{argument.name}: unknown vocabulary, ids drawn from {{0, 1}}; declare vocab_size",
                ),
            )
    return plan


def _orient(
    model: nn.Module, plan: InputPlan, trial: _Trial, spec: ModelSpec, device: torch.device, seed: int
) -> InputPlan:
    """Put the batch on axis 1 where the model is (length, batch)."""
    primary = plan.primary_argument
    if primary.shape[:2] != (BATCH, LENGTH) or primary.sample is not None:
        return plan
    swapped = _swap_axes(plan)
    if spec.batch_first is not None:
        return plan if spec.batch_first else swapped
    if not declares_length_first(model):
        return plan
    call = plan.make(
        batch=3, length=plan.clip_length(5), target_length=plan.clip_length(5), seed=seed, device=device
    )
    try:
        with LookupProbe(call.tensors) as probe:
            found = dict(iterate_tensors(call.run(model)))
    except Exception:  # noqa: BLE001 - the same call fails as a finding in T1-SHAPE
        return plan
    main = next((path for path in found if path in trial.outputs and found[path].dim() > 1), None)
    if main is None:
        return plan
    independent = find_independent_axes(
        lambda changed: dict(iterate_tensors(changed.run(model)))[main], call, primary
    )
    axis = decide_batch_axis(independent, probe.lookups.position_lengths, plan.clip_length(5))
    return plan if axis == 0 else swapped


def _swap_axes(plan: InputPlan) -> InputPlan:
    def swap(argument: Argument) -> Argument:
        if argument.shape[0] != BATCH or len(argument.shape) < 2 or not isinstance(argument.shape[1], str):
            return argument
        return replace(argument, shape=(argument.shape[1], BATCH, *argument.shape[2:]))

    return replace(plan, arguments=tuple(swap(argument) for argument in plan.arguments))


def _fix_length(model: nn.Module, plan: InputPlan, device: torch.device, seed: int) -> InputPlan:
    """A float model that runs at one length only has that length in its shape, and the report says so."""
    if not plan.has_length or plan.primary_argument.role == "tokens":
        return plan
    length = plan.default_length
    others = {length - 1, length + 1, max(length // 2, 1)} - {length}
    if any(_runs(model, plan, other, device, seed) for other in sorted(others)):
        return plan
    arguments = tuple(
        replace(a, shape=tuple(length if size == LENGTH else size for size in a.shape))
        for a in plan.arguments
    )
    note = f"it runs at length {length} only"
    return replace(plan, arguments=arguments, max_length=None, assumptions=(*plan.assumptions, note))


def _runs(model: nn.Module, plan: InputPlan, length: int, device: torch.device, seed: int) -> bool:
    if length < 1:
        return False
    try:
        plan.make(length=length, seed=seed, device=device).run(model)
    except Exception:  # noqa: BLE001 - the answer to the question is no
        return False
    return True


def _read_outputs(model: nn.Module, plan: InputPlan, device: torch.device, seed: int) -> OutputPlan:
    batch, length = plan.default_batch, plan.default_length
    other_length = length - 3 if length > 4 else length + 1
    first_sizes = {"batch": batch, "length": length, "target_length": max(length - 1, 1)}
    vocab = next((a.high for a in plan.arguments if a.role == "tokens"), None)

    def run(sizes: dict[str, int]) -> dict[str, Tensor]:
        call = plan.make(
            batch=sizes["batch"],
            length=sizes["length"],
            target_length=sizes["target_length"],
            seed=seed,
            device=device,
        )
        return dict(iterate_tensors(call.run(model)))

    try:
        first = run(first_sizes)
    except Exception:  # noqa: BLE001 - source and target may have to be of one length
        first_sizes["target_length"] = length
        first = run(first_sizes)
    variants = [
        {"batch": batch + 1, "length": other_length, "target_length": max(other_length - 2, 1)},
        {"batch": batch + 1, "length": other_length, "target_length": other_length},
        {"batch": batch, "length": other_length, "target_length": other_length},
        {**first_sizes, "batch": batch + 1},
        first_sizes,
    ]
    for second_sizes in variants:
        try:
            second = run(second_sizes)
        except Exception:  # noqa: BLE001 - a size that fails is a finding of T1-SHAPE
            continue
        planned = plan_outputs(first, second, first_sizes, second_sizes, vocab)
        if planned is not None:
            return planned
    raise ForwardError(f"{type(model).__name__} returned no floating-point tensor")

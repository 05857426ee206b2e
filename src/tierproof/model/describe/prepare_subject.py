"""Make a subject of a module: find a call that works, work out inputs and outputs, measure the traits."""

from __future__ import annotations

from typing import Any

import torch
from torch import nn

from tierproof.errors import TierproofError
from tierproof.model.call.call import raised_in_a_call
from tierproof.model.call.extra_arguments import add_optional_arguments
from tierproof.model.call.forward_error import ForwardError
from tierproof.model.call.forward_signature import read_signature
from tierproof.model.call.input_plan import InputPlan
from tierproof.model.call.max_length import guess_maximum, read_declared_maximum
from tierproof.model.call.measured_targets import find_targets
from tierproof.model.call.model_probe import ModelProbe
from tierproof.model.call.propose.propose_calls import propose_calls
from tierproof.model.call.read_outputs import read_outputs
from tierproof.model.call.spec import ModelSpec
from tierproof.model.call.stray_dropout import find_stray_dropout, without_stray_dropout
from tierproof.model.describe.declared_causality import read_promises
from tierproof.model.describe.hidden_layers import HiddenLayers, register_hidden_layers
from tierproof.model.describe.mask_polarity import settle_masks
from tierproof.model.describe.measure_traits import measure_traits
from tierproof.model.describe.settle_inputs import settle_inputs
from tierproof.model.describe.settle_standings import settle_standings
from tierproof.model.describe.subject import Subject
from tierproof.model.observe.position_tables import collect_tables
from tierproof.model.observe.search.working_call import find_working_call
from tierproof.model.preserve.unregistered_items import find_hidden_items


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

    Training flags are restored; the caller must preserve everything else that a forward pass may change.

    Args:
        target: how the user named the model; its class name by default.
        inputs: sample inputs (see `plan_given_inputs`); worked out when None.
        device: of the model; that of its first parameter when None.

    Raises:
        TargetError: when `model` is not an nn.Module or has no parameters.
        ForwardError: when the forward pass raised on every input tried, or ran once and then raised.
    """
    spec = spec or ModelSpec()
    device = torch.device(device) if device is not None else next(model.parameters()).device
    probe = ModelProbe(model, spec, device, seed)
    modes = [(module, module.training) for module in _list_modules(model)]
    try:
        model.eval()
        with torch.no_grad():
            return _describe(probe, target or probe.name, inputs)
    except TierproofError:
        raise
    except Exception as error:
        if not raised_in_a_call(error):
            raise
        raise ForwardError(
            f"the forward pass of {type(model).__name__} worked once and raised when it ran again: "
            f"{type(error).__name__}: {error}",
            hint="Look for state that the first call leaves behind, such as a cache: every call must work by itself.",
        ) from error
    finally:
        for module, training in modes:
            module.training = training


def _list_modules(model: nn.Module) -> list[nn.Module]:
    """The modules of a model, with those that it holds in plain attributes."""
    hidden = [item.value for item in find_hidden_items(model) if isinstance(item.value, nn.Module)]
    return [*model.modules(), *(part for module in hidden for part in module.modules())]


def _describe(probe: ModelProbe, target: str, inputs: Any) -> Subject:
    signature = read_signature(probe.model)
    # What a run leaves behind (a cached mask, a table that grew) declares nothing: all of this is read before.
    maximum = read_declared_maximum(probe.model, probe.spec)
    tables = collect_tables(probe.model)
    promises = read_promises(probe.model, probe.spec)
    length = maximum.length or guess_maximum(probe.model)
    found = find_working_call(probe, propose_calls(probe, signature, inputs, length))
    hidden = _register_hidden(probe, found.plan)
    try:
        # Layers that plain attributes hid are in evaluation mode only now.
        draws = found.draws or bool(hidden.layers)
        stray = draws and find_stray_dropout(lambda: probe.make_call(found.plan).run(probe.model))
        with without_stray_dropout(stray):
            plan = settle_inputs(probe, found, maximum, tables)
            plan, outputs = find_targets(probe, plan, read_outputs(probe, plan))
            if inputs is None:
                plan, outputs = add_optional_arguments(probe, signature, plan, outputs)
            plan = settle_masks(probe, plan, outputs, found.lookups)
            plan = settle_standings(probe, plan, outputs, found.lookups)
            traits = measure_traits(probe, plan, outputs, found.lookups, promises)
    finally:
        hidden.hide()
    return Subject(probe.model, target, probe.spec, plan, outputs, traits, probe.device, hidden, stray)


def _register_hidden(probe: ModelProbe, plan: InputPlan) -> HiddenLayers:
    """Register what plain attributes hide; the checks that judge this look at the model as it was written."""
    hidden = register_hidden_layers(probe.model, lambda: probe.make_call(plan).run(probe.model))
    for layer in hidden.layers:
        layer.registered.eval()
    return hidden

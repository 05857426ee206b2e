"""Compare the model with a fresh instance of its class that loads the model's state."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from tierproof.checks.claim import claim_error
from tierproof.core.finding import Finding
from tierproof.core.json_value import JsonValue
from tierproof.core.standing import Fact, Standing
from tierproof.model.call.propose.transformers_inputs import is_transformers_model
from tierproof.model.compare.comparison import measure_change
from tierproof.model.compare.steady_answer import Baseline
from tierproof.model.describe.fresh_instance import build_again
from tierproof.model.describe.recovered_arguments import find_assumed

_STORE_ARGUMENTS = (
    " Store each constructor argument as an attribute, so that tierproof can rebuild the model exactly."
)


def check_fresh_instance(base: Baseline, measured: dict[str, JsonValue]) -> list[Finding]:
    """Build the class anew, load the state, and compare the answers.

    transformers' classes are built from their config, others with the arguments that this instance shows in its
    attributes and its config. The latter count only if all plain attributes of all modules are equal, because then
    both were built the same way. What grows larger than the model is given up while it is built.
    """
    fresh = build_again(base.answers.subject)
    if isinstance(fresh, str):
        measured["fresh_instance"] = f"not compared: {fresh}"
        return []
    model = base.answers.subject.model
    mismatch = fresh.load_state_dict(model.state_dict(), strict=False)
    answer = _ask(base, fresh)
    if answer.device != base.answer.device:
        measured["fresh_instance"] = "its output is on another device"
        return []
    change = measure_change(base.answer, answer)
    measured["fresh_instance_change"] = change
    differing = _find_differing_buffers(model, fresh)
    same = change <= base.tolerance and not (differing and change > 0)
    if same or base.answers.stand_ins:
        return []
    missing = [*mismatch.missing_keys, *mismatch.unexpected_keys]
    sure = bool(missing) or is_transformers_model(model) or not find_assumed(model) or _varies(base, answer)
    return [_report(base, change, missing, differing, sure=sure)]


def _ask(base: Baseline, fresh: nn.Module) -> Tensor:
    fresh.eval()
    torch.manual_seed(base.answers.seed)
    with torch.no_grad():
        return base.answers.subject.outputs.select(base.call.run(fresh))


def _varies(base: Baseline, answer: Tensor) -> bool:
    """Whether a second fresh instance answers otherwise than the first: then no argument explains the difference."""
    second = build_again(base.answers.subject)
    if isinstance(second, str):
        return False
    second.load_state_dict(base.answers.subject.model.state_dict(), strict=False)
    return measure_change(answer, _ask(base, second)) > base.tolerance


def _report(
    base: Baseline, change: float, missing: list[str], differing: list[str], *, sure: bool
) -> Finding:
    names = [*missing, *differing]
    assumed = find_assumed(base.answers.subject.model)
    unsure = (
        f" For {', '.join(f'`{name}`' for name in assumed[:4])} the fresh instance has default values, which may "
        "differ from this model's."
    )
    return claim_error(
        "T1-REG-010",
        "A fresh instance that loads this model's state_dict gives a different output: part of the state is neither "
        f"registered nor in the config{f', such as `{names[0]}`' if names else ''}.{'' if sure else unsure}",
        names[0].rpartition(".")[0] if names else "",
        {
            "relative_change": change,
            "tolerance": base.tolerance,
            "unmatched_entries": missing[:10],
            "unsaved_buffers": differing[:10],
            "assumed_arguments": [] if sure else assumed[:10],
        },
        "Register everything that the forward pass uses and cannot compute again as a parameter or persistent buffer."
        + ("" if sure else _STORE_ARGUMENTS),
        rests_on=_describe_source(base.answers.subject.model, assumed, sure=sure),
    )


def _describe_source(model: nn.Module, assumed: list[str], *, sure: bool) -> Fact:
    """How the fresh instance was built: from a config, from what the model's attributes show, or from defaults."""
    name = "fresh instance"
    if is_transformers_model(model):
        return Fact(name, Standing.DECLARED, "built from the model's config")
    if sure:
        return Fact(name, Standing.MEASURED, "built with the arguments that the model's attributes show")
    settle = "build a second instance yourself, load this state_dict into it, and compare the outputs of both"
    return Fact(name, Standing.ASSUMED, f"built with default values for {', '.join(assumed[:4])}", settle)


def _find_differing_buffers(model: nn.Module, fresh: nn.Module) -> list[str]:
    others = dict(fresh.named_buffers())
    saved = model.state_dict().keys()
    return [
        name
        for name, buffer in model.named_buffers()
        if name not in saved and name in others and measure_change(buffer, others[name]) > 0
    ]

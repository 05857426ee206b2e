"""T1-SAVE: a deep copy, a pickle and a saved file all reproduce the model.

What it does: makes a deep copy, compares its outputs and finds whose parameters it computes with; pickles the
structure and compares the outputs of the loaded copy; writes the state as safetensors, loads it into the copy and
compares every entry; finds parameters that share memory without being the same parameter.

Why it matters: weight averaging, quantisation, data parallelism and every checkpoint rely on copies. A copy that
silently computes with the original's parameters, or that loses a tie, means that the saved model is not the one that
was trained and evaluated.

Evidence: the relative change of the output, names of parameters and entries, and the error that was raised.

Exemptions: models whose outputs cannot be compared are judged by their state alone. A model that cannot be pickled
(a lambda, a lock, a class defined in a function) gets an info, because its state can still be saved. Ties between
identical parameter objects are not reported: safetensors' `save_model` drops and restores them. States above 1 GiB
or 8,000 entries are not written.

Findings:
    T1-SAVE-001 warning: the model cannot be deep-copied.
    T1-SAVE-002 error: a deep copy gives a different output.
    T1-SAVE-003 error: a deep copy computes with the original's parameters.
    T1-SAVE-004 info: the model cannot be pickled.
    T1-SAVE-005 error: a pickled copy gives a different output.
    T1-SAVE-006 warning: the state cannot be written as safetensors.
    T1-SAVE-007 error: an entry has different values after saving as safetensors and loading.
    T1-SAVE-008 warning: two parameters share memory but are separate objects: copies untie them, and an optimizer
        updates them twice.

Source: the contracts of copy.deepcopy, pickle and nn.Module.load_state_dict; safetensors' documentation of
shared tensors.
"""

from __future__ import annotations

import importlib.util

import torch
from torch import Tensor, nn

from tierproof.checks.check import Check, CheckContext, CheckOutput
from tierproof.checks.claim import claim_error
from tierproof.core.finding import Finding, Severity
from tierproof.core.json_value import JsonValue
from tierproof.model.compare.comparison import measure_change
from tierproof.model.compare.model_pair import answer_with
from tierproof.model.compare.steady_answer import Baseline, find_baseline
from tierproof.model.describe.basis import Basis
from tierproof.model.observe.parameter_use import find_used_tensors
from tierproof.model.preserve.copy_model import copy_sharing_values
from tierproof.model.preserve.pickled_structure import pickle_structure
from tierproof.model.sizes.tensor_place import find_place

CODE = "T1-SAVE"
# The bytes of the file and the tensors read from it stand beside the model for a moment.
_MOST_BYTES_WRITTEN = 2**30
# nn.Module.load_state_dict looks at every entry once for each child of a list.
_MOST_ENTRIES = 8_000
_NAMES_SHOWN = 5
_COPY_HINT = "Make `__deepcopy__` and `__reduce__` copy every attribute that the forward pass uses."
_PICKLE_HINT = "Make `__getstate__` and `__setstate__` keep every attribute that the forward pass uses."


def run(context: CheckContext) -> CheckOutput:
    """Run the check."""
    model = context.subject.model
    found = find_baseline(context.subject, context.seed, batch=1)
    base = None if isinstance(found, str) else found
    measured: dict[str, JsonValue] = {}
    findings = _judge_shared_memory(model)
    try:
        copied = copy_sharing_values(model)
    except Exception as error:  # noqa: BLE001 - the failure is the finding
        findings.append(_report_uncopyable(error))
    else:
        if base is not None:
            findings += _judge_copy(base, copied, measured)
        findings += _judge_file(model, copied, measured)
    if base is not None:
        findings += _judge_pickle(base, measured)
    return CheckOutput(tuple(findings), measured)


def _judge_shared_memory(model: nn.Module) -> list[Finding]:
    first: dict[tuple[int, int], tuple[str, nn.Parameter]] = {}
    findings = []
    for name, parameter in model.named_parameters():
        if parameter.is_meta or not parameter.numel() or parameter.layout is not torch.strided:
            continue
        other = first.setdefault((find_place(parameter), parameter.numel()), (name, parameter))
        if other[1] is not parameter:
            findings.append(
                Finding(
                    f"{CODE}-008",
                    Severity.WARNING,
                    f"`{other[0]}` and `{name}` share memory but are two parameters: a deep copy unties them, and an "
                    "optimizer updates the same values twice.",
                    name.rpartition(".")[0],
                    {"parameters": [other[0], name], "elements": parameter.numel()},
                    f"Tie the parameter object: assign `{other[0]}` itself instead of its `.data`.",
                )
            )
    return findings[:_NAMES_SHOWN]


def _report_uncopyable(error: Exception) -> Finding:
    return Finding(
        f"{CODE}-001",
        Severity.WARNING,
        f"The model cannot be deep-copied: {type(error).__name__}: {str(error)[:300]}",
        "",
        {"exception": type(error).__name__},
        "Do not store locks, generators, file handles or tensors with a `grad_fn` in attributes of a module.",
    )


def _judge_copy(base: Baseline, copied: nn.Module, measured: dict[str, JsonValue]) -> list[Finding]:
    """Find whose parameters the copy computes with, and compare its output."""
    own = {id(parameter) for parameter in copied.parameters()}
    original = {name: p for name, p in base.answers.subject.model.named_parameters() if id(p) not in own}
    answer: list[Tensor] = []
    foreign = find_used_tensors(original, copied, lambda: answer.append(answer_with(base, copied)))
    change = measure_change(base.answer, answer[0])
    measured["copy_change"] = change
    if foreign:
        name, where = next(iter(foreign.items()))
        return [
            claim_error(
                f"{CODE}-003",
                f"A deep copy computes with {len(foreign)} parameter(s) of the original model, such as `{name}`: "
                "training the copy does not change its outputs.",
                where,
                {"parameters": list(foreign)[:_NAMES_SHOWN]},
                "In the forward pass, use attributes of `self` instead of variables of a closure, which `deepcopy` "
                "does not copy.",
                rests_on=Basis.RUN,
            )
        ]
    if change > base.tolerance:
        return [_report_change(base, change, "002", "A deep copy", _COPY_HINT)]
    return []


def _report_change(base: Baseline, change: float, number: str, what: str, hint: str) -> Finding:
    return claim_error(
        f"{CODE}-{number}",
        f"{what} gives a different output: the copy lacks a part of what the forward pass uses.",
        "",
        {"relative_change": change, "tolerance": base.tolerance},
        hint,
        rests_on=Basis.RUN,
    )


def _judge_pickle(base: Baseline, measured: dict[str, JsonValue]) -> list[Finding]:
    try:
        loaded = pickle_structure(base.answers.subject.model)
    except Exception as error:  # noqa: BLE001 - the failure is the finding
        reason = f"{type(error).__name__}: {str(error)[:300]}"
        measured["pickle"] = reason
        # A class that cannot be imported again says how the model was loaded, not how it was written.
        if "import" in reason or "not found as" in reason or "it's not the same object as" in reason:
            return []
        return [
            Finding(
                f"{CODE}-004",
                Severity.INFO,
                f"The model cannot be pickled: {reason}",
                "",
                {},
                "Save its `state_dict()`. To pickle the model, use only functions and classes that can be imported.",
            )
        ]
    change = measure_change(base.answer, answer_with(base, loaded))
    measured["pickle_change"] = change
    if change <= base.tolerance:
        return []
    return [_report_change(base, change, "005", "A pickled copy", _PICKLE_HINT)]


def _judge_file(model: nn.Module, copied: nn.Module, measured: dict[str, JsonValue]) -> list[Finding]:
    """Write the state as safetensors, read it into the copy, and compare every entry."""
    try:
        state = model.state_dict()
    except Exception as error:  # noqa: BLE001 - T1-REG-005 reports it
        measured["state_dict"] = f"raises {type(error).__name__}"
        return []
    written = {name: value for name, value in state.items() if isinstance(value, Tensor)}
    size = sum(value.numel() * value.element_size() for value in written.values())
    measured["state_bytes"] = size
    if importlib.util.find_spec("safetensors") is None:
        measured["safetensors"] = (
            "safetensors is not installed; saving was checked with torch.save only (T1-REG)"
        )
        return []
    if size > _MOST_BYTES_WRITTEN or len(state) > _MOST_ENTRIES:
        measured["safetensors"] = (
            f"not written: the state is larger than 1 GiB or has more than {_MOST_ENTRIES:,} entries"
        )
        return []
    if len(written) < len(state):
        odd = next(name for name in state if name not in written)
        return [_report_unwritable(odd, f"{odd} is a {type(state[odd]).__name__}, not a tensor")]
    try:
        wrong = _find_changed_entries(copied, written)
    except Exception as error:  # noqa: BLE001 - the failure is the finding
        return [_report_unwritable("", f"{type(error).__name__}: {str(error)[:300]}")]
    measured["entries_written"] = len(written)
    return [
        claim_error(
            f"{CODE}-007",
            f"`{name}` has different values after it was saved as safetensors and loaded.",
            name.rpartition(".")[0],
            {"entry": name},
            "Make `_load_from_state_dict` and the state_dict hooks of this module restore the saved values unchanged.",
            rests_on=Basis.RUN,
        )
        for name in wrong[:_NAMES_SHOWN]
    ]


def _find_changed_entries(copied: nn.Module, state: dict[str, Tensor]) -> list[str]:
    """Entries of the copy's state that differ after it has loaded what was written of `state`."""
    from safetensors.torch import load, save

    # One name is written for each group of ties.
    groups: dict[tuple[int, tuple[int, ...], tuple[int, ...]], str] = {}
    aliases = {
        name: groups.setdefault((value.data_ptr(), tuple(value.shape), value.stride()), name)
        for name, value in state.items()
    }
    chosen: dict[str, Tensor] = {}
    owners: dict[int, str] = {}
    for name in groups.values():
        value = state[name].detach().contiguous()
        # A view into another entry is written as numbers of its own, which safetensors insists on.
        shared = owners.setdefault(value.untyped_storage().data_ptr(), name) != name
        chosen[name] = value.clone() if shared else value
    read: dict[str, Tensor] = load(save(chosen))
    expected = {name: read[alias] for name, alias in aliases.items()}
    try:
        copied.load_state_dict(expected, strict=True)
        loaded = copied.state_dict()
        return [
            name
            for name, value in expected.items()
            if name in loaded and measure_change(value, loaded[name].cpu()) > 0
        ]
    finally:
        # The copy's memory is the model's: what was loaded wrongly must not stay.
        with torch.no_grad():
            for name, value in expected.items():
                if not torch.equal(state[name].cpu(), value):
                    state[name].copy_(value)


def _report_unwritable(name: str, reason: str) -> Finding:
    return Finding(
        f"{CODE}-006",
        Severity.WARNING,
        f"The state cannot be written as safetensors: {reason}",
        name.rpartition(".")[0],
        {"reason": reason},
        "Keep only tensors in the state, and store everything else in the config.",
    )


CHECK = Check(
    CODE,
    "saving and copying",
    1,
    run,
    needs=("parameter values", "unquantised layers"),
    cost_steps=0.5,
    value=62,
)

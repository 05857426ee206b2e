"""T1-REG: everything the model computes with is registered, saved, restored and tied as declared.

What it does: finds modules, parameters and tensors in plain attributes (lists, dicts, objects) and checks whether the
forward pass uses them; loads the model's own state_dict strictly; compares the ties before and after; and, if the
class can be rebuilt from its config, loads the state into a fresh instance and compares the outputs.

Why it matters: what is not registered is not in `model.parameters()`, is not moved to the GPU and is not saved. The
model does not learn, or is worse after loading.

Evidence: the module and attribute that hold what is not registered, its number of parameters, and what differs after
saving and loading.

Exemptions: tensors that optimizers and training libraries keep at a parameter (gradients, means, quantisation state).
Frozen modules that are kept apart on purpose (teachers, perceptual losses) give only a warning. Modules without
state, tensors that each forward pass creates again (caches), and tensors that it moves and the constructor creates
again, are left out. Bit-identical copies of a tied pair give only a warning unless the config declares the tie.

Findings:
    T1-REG-001 error or warning: modules in a plain list, dict or attribute are used but are not in parameters() (a
        warning if they are frozen).
    T1-REG-002 error or warning: a parameter that is not registered affects the output (a warning if it is frozen).
    T1-REG-003 warning: a tensor that affects the output is not a buffer, so .to() does not move it and state_dict()
        does not save it.
    T1-REG-004 error: state_dict() drops a parameter.
    T1-REG-005 error: the model cannot give or load its own state_dict.
    T1-REG-006 error: loading a state_dict breaks a tie.
    T1-REG-007 error or warning: the embedding and output weights are declared tied, or have equal values, but are two
        parameters (an error if the config of a transformers model declares the tie).
    T1-REG-008 warning: the state cannot be saved and loaded safely.
    T1-REG-009 error: an entry has different values after saving and loading.
    T1-REG-010 error or warning: a fresh instance that loads the state gives a different output (a warning if it had
        to be built with default arguments, and a second fresh instance gives the same output as the first).
    T1-REG-011 warning: all entries of a list are the same module object.
    T1-REG-012 error: the first forward registers new parameters.
    T1-REG-013 error: each forward replaces parameters by new objects, so that an optimizer trains the old ones.
    T1-REG-014 warning: a parameter carries a tensor of its own as an attribute, which no forward pass reads.
    T1-REG-015 warning or info: all blocks of a stack hold the same module, although their other layers are separate
        (an info if its name says shared).

Source: PyTorch's own contract of nn.Module (registration, state_dict, load_state_dict with strict=True).
"""

from __future__ import annotations

import io
from collections.abc import Callable, Iterable
from dataclasses import replace
from typing import TypeGuard

import torch
from torch import Tensor, nn

from tierproof.checks.check import Check, CheckContext, CheckOutput
from tierproof.checks.claim import claim_error
from tierproof.checks.tier1.registration.carried_tensors import judge_carried_tensors
from tierproof.checks.tier1.registration.fresh_instance import check_fresh_instance
from tierproof.checks.tier1.registration.index_tensors import is_index_only
from tierproof.checks.tier1.registration.late_parameters import (
    check_late_parameters,
    check_repeated_modules,
    check_replaced_parameters,
    check_shared_parts,
)
from tierproof.checks.tier1.registration.left_behind import find_left_behind
from tierproof.checks.tier1.registration.registration_ties import judge_ties
from tierproof.core.finding import Cause, Finding, Severity
from tierproof.core.json_value import JsonValue
from tierproof.model.compare.comparison import measure_change
from tierproof.model.compare.steady_answer import Baseline, find_baseline
from tierproof.model.describe.basis import Basis
from tierproof.model.preserve.unregistered_items import HiddenItem, find_hidden_items
from tierproof.model.sizes.parameter_count import find_dense_parts
from tierproof.model.sizes.tensor_place import find_place, read_storage_address

# A fresh instance and a saved copy double the model's memory for a moment; a small model's cost is nothing.
_MOST_BYTES_COPIED = 200 * 2**20
# Each hidden tensor costs two forward passes.
_MOST_TENSORS_TRIED = 8


def run(context: CheckContext) -> CheckOutput:
    """Run the check."""
    subject = context.subject
    model = subject.model
    # What a forward pass of ours leaves behind, such as a cached grid, is no state of the model.
    present = {id(item.value) for item in find_hidden_items(model)}
    late = check_late_parameters(subject, context.seed)
    if late:
        return CheckOutput(tuple(late))
    base = find_baseline(subject, context.seed, batch=1)
    comparable = None if isinstance(base, str) else base
    hidden = [item for item in find_hidden_items(model) if id(item.value) in present]
    findings = _check_hidden_modules(model, hidden, comparable)
    findings += _check_hidden_parameters(hidden, comparable)
    lost = _check_hidden_tensors(hidden, comparable)
    findings += lost
    broken = _check_state_dict(model)
    findings += broken
    if any(finding.code == "T1-REG-005" for finding in broken):
        return CheckOutput(tuple(findings))
    findings += judge_ties(model)
    measured: dict[str, JsonValue] = {
        "hidden_modules": sum(isinstance(item.value, nn.Module) for item in hidden),
        "hidden_parameters": _count_hidden_parameters(model, hidden),
        "state_dict_entries": len(model.state_dict()),
    }
    on_meta = any(parameter.is_meta for parameter in model.parameters())
    if _count_bytes(model) <= _MOST_BYTES_COPIED and not on_meta:
        findings += _check_saving(model)
        if comparable is not None:
            findings += _name_cause(check_fresh_instance(comparable, measured), findings)
    findings += check_repeated_modules(model)
    findings += check_shared_parts(model)
    findings += judge_carried_tensors(model, comparable)
    # Last, because its forward in training mode moves running statistics.
    findings += check_replaced_parameters(subject, context.seed)
    return CheckOutput(tuple(findings), measured)


def _name_cause(lost: list[Finding], findings: list[Finding]) -> list[Finding]:
    """What a fresh instance lacks follows from the layers that were not registered, where there are such."""
    hidden = next((finding for finding in findings if finding.code == "T1-REG-001"), None)
    if hidden is None:
        return lost
    cause = Cause(hidden.code, hidden.where)
    return [
        replace(one, hint=cause.advice, follows_from=cause) if one.code == "T1-REG-010" else one
        for one in lost
    ]


def _count_hidden_parameters(model: nn.Module, hidden: list[HiddenItem]) -> int:
    """Elements of the parameters that plain attributes hold, alone or in modules."""
    own = {id(parameter) for parameter in model.parameters()}
    found: dict[int, int] = {}
    for item in hidden:
        parts = item.value.parameters() if isinstance(item.value, nn.Module) else [item.value]
        found |= {id(p): p.numel() for p in parts if isinstance(p, nn.Parameter) and id(p) not in own}
    return sum(found.values())


def _check_hidden_modules(model: nn.Module, hidden: list[HiddenItem], base: Baseline | None) -> list[Finding]:
    """Modules in plain attributes, grouped by owner and attribute; those that no forward pass calls are left."""
    groups: dict[tuple[str, str], list[HiddenItem]] = {}
    for item in hidden:
        if isinstance(item.value, nn.Module) and any(True for _ in item.value.parameters()):
            groups.setdefault((item.owner, item.root_attribute), []).append(item)
    used = _find_called(base, [item for group in groups.values() for item in group])
    findings = []
    for (owner, attribute), items in groups.items():
        called = [item for item in items if id(item.value) in used]
        if not called:
            continue
        own = {id(p) for p in model.parameters()}
        used_parts = [item.value for item in called if isinstance(item.value, nn.Module)]
        parameters = [p for part in used_parts for p in part.parameters() if id(p) not in own]
        if not parameters:
            continue
        trained = any(p.requires_grad for p in parameters)
        count = sum(p.numel() for p in parameters)
        plural = f"{len(called)} modules" if len(called) > 1 else "a module"
        findings.append(
            claim_error(
                "T1-REG-001",
                f"The plain attribute `{attribute}` holds {plural} with {count:,} parameters that the forward pass "
                "uses but PyTorch does not register: `parameters()` and `state_dict()` lack them, and `.to()` does not "
                "move them." + ("" if trained else " They are frozen, so this may be intended."),
                owner,
                {"attribute": attribute, "modules": len(called), "parameters": count, "trainable": trained},
                f"Make `{attribute}` an `nn.ModuleList` or `nn.ModuleDict`, or assign each module to `self` directly.",
                rests_on=Basis.STATE,
                at_most=Severity.ERROR if trained else Severity.WARNING,
            )
        )
    return findings


def _find_called(base: Baseline | None, items: list[HiddenItem]) -> set[int]:
    """Ids of the hidden modules that a forward pass calls; all of them where none can be run."""
    modules = [item.value for item in items if isinstance(item.value, nn.Module)]
    if base is None or not modules:
        return {id(module) for module in modules}
    called: set[int] = set()

    def note(key: int) -> Callable[..., None]:
        return lambda *_: called.add(key)

    handles = [
        part.register_forward_hook(note(id(module)))
        for module in modules
        for part in module.modules()
        if not isinstance(part, torch.jit.ScriptModule)
    ]
    try:
        base.answers(base.call)
    finally:
        for handle in handles:
            handle.remove()
    return called


def _check_hidden_parameters(hidden: list[HiddenItem], base: Baseline | None) -> list[Finding]:
    items = [item for item in hidden if isinstance(item.value, nn.Parameter)]
    if base is None or not items:
        return []
    findings = []
    for item in items:
        assert isinstance(item.value, Tensor)
        if _moves_answer(base, item.value):
            findings.append(
                claim_error(
                    "T1-REG-002",
                    f"The parameter `{item.attribute}` affects the output but is not registered: optimizers, "
                    "`state_dict()` and `.to()` ignore it.",
                    item.owner,
                    {"attribute": item.attribute, "elements": item.value.numel()},
                    "Assign it to `self` directly, or use `nn.ParameterList` or `nn.ParameterDict`.",
                    rests_on=Basis.STATE,
                    at_most=Severity.ERROR if item.value.requires_grad else Severity.WARNING,
                )
            )
    return findings


def _check_hidden_tensors(hidden: list[HiddenItem], base: Baseline | None) -> list[Finding]:
    if base is None:
        return []
    registered = _storages((*base.answers.subject.model.parameters(), *base.answers.subject.model.buffers()))
    items = [item for item in hidden if _is_plain(item.value) and not _storages([item.value]) & registered]
    kept = [
        item
        for item in _find_kept(base, items)[:_MOST_TENSORS_TRIED]
        if _is_plain(item.value) and _moves_answer(base, item.value) and not is_index_only(base, item.value)
    ]
    return [
        Finding(
            "T1-REG-003",
            Severity.WARNING,
            f"The tensor `{item.attribute}` affects the output but is not a buffer: `.to()` does not move it and "
            "`state_dict()` does not save it.",
            item.owner,
            {"attribute": item.attribute, "elements": item.value.numel()},
            f'Register it: `self.register_buffer("{item.root_attribute}", …)`, with `persistent=False` if it can be '
            "computed again.",
        )
        for item in find_left_behind(base, kept)
        if _is_plain(item.value)
    ]


def _is_plain(value: object) -> TypeGuard[Tensor]:
    """Whether it is a tensor of values, neither a parameter nor computed from one."""
    return isinstance(value, Tensor) and not isinstance(value, nn.Parameter) and value.grad_fn is None


def _find_kept(base: Baseline, items: list[HiddenItem]) -> list[HiddenItem]:
    """Those that a forward pass of another length does not make anew."""
    if not items:
        return []
    subject = base.answers.subject
    other = subject.make_call(
        batch=base.batch + 1,
        length=subject.inputs.clip_length(base.length + 2),
        target_length=subject.inputs.clip_length(base.target_length + 2),
        seed=base.answers.seed,
    )
    base.answers.attempt(other)
    present = {id(item.value) for item in find_hidden_items(subject.model)}
    return [item for item in items if id(item.value) in present and "cache" not in item.attribute.lower()]


def _moves_answer(base: Baseline, tensor: Tensor) -> bool:
    """Whether the output changes while the tensor holds other values; the old ones are restored."""
    kept = tensor.detach().clone()
    try:
        with torch.no_grad():
            if tensor.dtype == torch.bool:
                tensor.logical_not_()
            elif tensor.is_floating_point() or tensor.is_complex():
                tensor.mul_(-0.7).add_(0.3)
            else:
                tensor.copy_(tensor.flip(0) if tensor.dim() else tensor + 1)
        moved = base.answers.attempt(base.call)
    finally:
        with torch.no_grad():
            tensor.copy_(kept)
    return moved is None or measure_change(base.answer, moved) > base.tolerance


def _storages(tensors: Iterable[Tensor]) -> set[int]:
    return {read_storage_address(part) for tensor in tensors for part in find_dense_parts(tensor)} - {0}


def _group_ties(model: nn.Module) -> set[frozenset[str]]:
    groups: dict[int, set[str]] = {}
    for name, parameter in model.named_parameters(remove_duplicate=False):
        groups.setdefault(find_place(parameter), set()).add(name)
    return {frozenset(names) for names in groups.values() if len(names) > 1}


def _report_state(what: str, error: Exception, entries: int) -> Finding:
    return claim_error(
        "T1-REG-005",
        f"{what}: {type(error).__name__}: {str(error)[:300]}",
        "",
        {"entries": entries},
        "Make `state_dict()` and `load_state_dict()` use the same names and shapes, and fix their hooks.",
        rests_on=Basis.STATE,
    )


def _check_state_dict(model: nn.Module) -> list[Finding]:
    """Load the model's own state strictly, look for parameters it lacks and for ties it breaks."""
    try:
        state = model.state_dict()
    except Exception as error:  # noqa: BLE001 - the failure is the finding
        return [_report_state("`state_dict()` of the model raises", error, 0)]
    before = _group_ties(model)
    findings = []
    saved = _storages(value for value in state.values() if isinstance(value, Tensor))
    for name, parameter in model.named_parameters():
        if name not in state and parameter.numel() and not _storages([parameter]) & saved:
            owner, _, leaf = name.rpartition(".")
            findings.append(
                claim_error(
                    "T1-REG-004",
                    f"`state_dict()` drops the parameter `{leaf}`, so it is lost when the model is saved.",
                    owner,
                    {"parameter": name, "elements": parameter.numel()},
                    "Make `state_dict()` and its hooks keep every parameter.",
                    rests_on=Basis.STATE,
                )
            )
    if findings:
        return findings
    try:
        model.load_state_dict(state, strict=True)
    except Exception as error:  # noqa: BLE001 - the failure is the finding
        return [
            _report_state("`load_state_dict()` rejects the model's own `state_dict()`", error, len(state))
        ]
    lost = before - _group_ties(model)
    return [
        claim_error(
            "T1-REG-006",
            "Loading a state_dict breaks the tie between "
            f"{' and '.join(f'`{name}`' for name in sorted(group))}.",
            max(group).rpartition(".")[0],
            {"tied": sorted(group)},
            "Copy values into the existing parameter instead of replacing it, or tie again after loading.",
            rests_on=Basis.STATE,
        )
        for group in lost
    ]


def _check_saving(model: nn.Module) -> list[Finding]:
    """Save and load the state in memory, and compare."""
    state = model.state_dict()
    stream = io.BytesIO()
    try:
        torch.save(state, stream)
        stream.seek(0)
        loaded = torch.load(stream, weights_only=True)
    except Exception as error:  # noqa: BLE001 - the failure is the finding
        return [
            Finding(
                "T1-REG-008",
                Severity.WARNING,
                f"The state_dict cannot be saved and loaded with `weights_only=True`: {type(error).__name__}: "
                f"{str(error)[:300]}",
                "",
                {"entries": len(state)},
                "Return only tensors and plain values from `state_dict()` and `get_extra_state()`.",
            )
        ]
    wrong = [
        name
        for name, value in state.items()
        if isinstance(value, Tensor) and measure_change(value.cpu(), loaded[name].cpu()) > 0
    ]
    return [
        claim_error(
            "T1-REG-009",
            f"`{name}` has different values after saving and loading.",
            name.rpartition(".")[0],
            {"entry": name},
            "Make the state_dict hooks of this module save and restore the values unchanged.",
            rests_on=Basis.STATE,
        )
        for name in wrong[:3]
    ]


def _count_bytes(model: nn.Module) -> int:
    return sum(t.numel() * t.element_size() for t in (*model.parameters(), *model.buffers()))


CHECK = Check("T1-REG", "registration", 1, run, cost_steps=0.2, value=86, as_written=True)

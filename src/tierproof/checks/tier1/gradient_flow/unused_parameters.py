"""Find trainable parameters that no output depends on by mistake rather than by design.

A naive "grad is None" is wrong on 14 of 136 healthy language models: poolers, heads for other tasks, mask tokens
and tables for optional inputs are for other calls. These are whole modules or single rows. A mistake looks
different: the same part of *every* layer is unused although the layer runs; a module that runs does not use its
own table; the position table is never read; one aligned block of a fused projection gets no gradient at all; a
router chooses and is never trained.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from torch import nn

from tierproof.checks.tier1.gradient_flow.starved_module import StarvedModule
from tierproof.checks.tier1.gradient_flow.waiting_part import waits_for_another_path
from tierproof.core.finding import Finding, Severity
from tierproof.model.call.forward_signature import read_signature
from tierproof.model.gradients.gradient_pass import GradientPass

CODE = "T1-GRAD"
_INDEX = re.compile(r"(^|\.)\d+(?=\.|$)")
# Parts of layers that wait for an optional input: another sequence, segments, a global or special token.
_OPTIONAL = re.compile(
    r"cross|encoder_attn|expert|global|seg|special|mask|pool|prefix|adapter|lora|distance|_bias$|memory",
    re.IGNORECASE,
)
_NAMES_SHOWN = 8
# An expert that none of this many tokens per expert chose, in several draws, is left out by the router.
TOKENS_PER_EXPERT = 8
# A gradient this much below the median one is what float32 leaves of zero.
_ROUNDING = 1e-5


@dataclass(frozen=True)
class SlipReport:
    """Findings about parameters that are unused by mistake.

    Attributes:
        findings: one for each part that was forgotten.
        covered: names of all parameters that the findings are about.
        listed: those that the findings' evidence names; it stops at a few.
    """

    findings: tuple[Finding, ...]
    covered: frozenset[str]
    listed: frozenset[str]


def judge_unused_parameters(
    model: nn.Module, first: GradientPass, items: Sequence[StarvedModule]
) -> SlipReport:
    """Report parameters that are unused by mistake rather than by design."""
    findings: list[Finding] = []
    covered: set[str] = set()
    listed: set[str] = set()
    for where, names, message, hint in (
        *_find_in_every_layer(model, first, items),
        *_find_own_tables(model, first, items),
    ):
        covered |= set(names)
        listed |= set(names[:_NAMES_SHOWN])
        findings.append(
            Finding(
                f"{CODE}-014",
                Severity.WARNING,
                message,
                where,
                {"parameters": list(names[:_NAMES_SHOWN]), "count": len(names)},
                hint,
            )
        )
    return SlipReport(tuple(findings), frozenset(covered), frozenset(listed))


Slip = tuple[str, tuple[str, ...], str, str]


def _find_in_every_layer(
    model: nn.Module, first: GradientPass, items: Sequence[StarvedModule]
) -> Iterable[Slip]:
    """Parts that are unused in all layers of a stack, while the layers themselves run."""
    unused = [name for item in items for name in item.names]
    everywhere: dict[str, list[str]] = {}
    for name, parameter in model.named_parameters():
        if parameter.requires_grad and _INDEX.search(name):
            everywhere.setdefault(_INDEX.sub(r"\1*", name), []).append(name)
    owners: dict[str, list[str]] = {}
    for pattern, names in everywhere.items():
        whole = len(names) > 1 and all(name in unused for name in names)
        waits = whole and not _are_touched(model, first, names) and _wait(model, first, names)
        if whole and not waits and not _OPTIONAL.search(pattern) and _layers_run(model, first, names):
            owners.setdefault(pattern.rpartition(".")[0], []).extend(names)
    for pattern, names in _join_owners(model, first, owners).items():
        ordered = tuple(sorted(names, key=_natural))
        yield (
            _put_index(pattern, ordered[0]),
            ordered,
            (
                f"No output depends on `{pattern}`: the layers run, but this part of each layer is unused "
                f"({len(names)} parameter tensors in all layers)."
            ),
            "In the layer's forward, use this part (and not another in its place), or remove it.",
        )


def _join_owners(model: nn.Module, first: GradientPass, owners: dict[str, list[str]]) -> dict[str, list[str]]:
    """Join parts of one layer that are left out together: what was thrown away is what they have in common.

    A module that is called and leaves its own parameters aside stands for itself.
    """
    entered = set(first.entered)
    alone = {
        pattern: names
        for pattern, names in owners.items()
        if not _are_touched(model, first, names) and names[0].rpartition(".")[0] in entered
    }
    stacks: dict[str, list[str]] = {}
    for pattern in owners:
        if pattern not in alone:
            stacks.setdefault(pattern.partition("*")[0], []).append(pattern)
    joined = dict(alone)
    for patterns in stacks.values():
        shared = _find_common_ancestor(patterns)
        joined[shared] = [name for pattern in patterns for name in owners[pattern]]
    return joined


def _are_touched(model: nn.Module, first: GradientPass, names: Iterable[str]) -> bool:
    return any(id(model.get_parameter(name)) in first.log.used for name in names)


def _find_common_ancestor(paths: Sequence[str]) -> str:
    parts = [path.split(".") for path in paths]
    return ".".join(
        here[0] for here in itertools.takewhile(lambda same: len(set(same)) == 1, zip(*parts, strict=False))
    )


def _wait(model: nn.Module, first: GradientPass, names: Iterable[str]) -> bool:
    return all(waits_for_another_path(model, first.entered, name.rpartition(".")[0]) for name in names)


def _layers_run(model: nn.Module, first: GradientPass, names: Iterable[str]) -> bool:
    entered = set(first.entered)
    # A layer kept as a dict of parts is never called itself.
    entered |= {
        owner
        for path in first.entered
        if (owner := path.rpartition(".")[0]) and isinstance(model.get_submodule(owner), nn.ModuleDict)
    }
    return all(any(name[: match.end()] in entered for match in _INDEX.finditer(name)) for name in names)


def _put_index(pattern: str, name: str) -> str:
    """The pattern with the indices of `name` for its stars."""
    return ".".join(name.split(".")[: len(pattern.split("."))])


def _natural(name: str) -> list[int | str]:
    return [int(part) if part.isdigit() else part for part in re.split(r"(\d+)", name)]


def _find_own_tables(model: nn.Module, first: GradientPass, items: Sequence[StarvedModule]) -> Iterable[Slip]:
    """Tables that the module which owns them leaves aside although it runs, and position tables never read."""
    entered = set(first.entered)
    parameters = dict(model.named_parameters())
    for item in items:
        if item.tick is not None or _INDEX.search(item.path) or (not item.path and _waits_for_input(model)):
            continue
        module = model.get_submodule(item.path)
        if item.path in entered and not _is_library_module(module):
            names = tuple(n for n in item.names if _is_table(parameters[n]) and not _OPTIONAL.search(n))
            said = f"`{item.path or type(module).__name__}` runs but does not use its own parameter"
        elif (
            isinstance(module, nn.Embedding)
            and "pos" in item.path.lower()
            and item.path.rpartition(".")[0] in entered
        ):
            names, said = item.names, "The forward never reads the position table"
        else:
            continue
        if names:
            yield (
                item.path,
                names,
                f"{said} {', '.join(f'`{name}`' for name in names[:3])}.",
                "Use it in the forward of this module, or remove it.",
            )


def _waits_for_input(model: nn.Module) -> bool:
    """Whether the forward takes all of its arguments only if they are given, as a model of two modalities does."""
    signature = read_signature(model)
    return not signature.required and len(signature.optional) > 1


def _is_table(parameter: nn.Parameter) -> bool:
    """Whether it has several rows; a single row is a token that some calls insert."""
    return parameter.dim() >= 2 and parameter.numel() > parameter.shape[-1]


def _is_library_module(module: nn.Module) -> bool:
    return type(module).__module__.startswith("torch.nn.")


def find_still_blocks(model: nn.Module, passes: Sequence[GradientPass]) -> dict[str, tuple[int, int, int]]:
    """Aligned blocks of rows of a linear layer that get no gradient in any pass, by the name of the weight.

    Single rows are dead units, which come and go; half, a third or a quarter in one block does not.
    """
    shared = dict(passes[0].still_rows)
    for other in passes[1:]:
        shared = {name: rows for name, rows in shared.items() if other.still_rows.get(name) == rows}
    found = {}
    for name, (start, stop, total) in shared.items():
        owner = model.get_submodule(name.rpartition(".")[0])
        aligned = start % (stop - start) == 0 and total % (stop - start) == 0
        if not aligned or not isinstance(owner, nn.Linear) or "expert" in name.lower():
            continue
        # Keys and queries have no effect where a softmax has one entry, as at the smallest maps of a pyramid.
        lone = passes[0].log.is_near_lone_softmax(name.rpartition(".")[0])
        if not lone and not _is_masked_by_buffer(owner, model.get_parameter(name), start, stop):
            found[name] = (start, stop, total)
    return found


def judge_still_blocks(model: nn.Module, passes: Sequence[GradientPass]) -> list[Finding]:
    """A part of a fused projection that is never trained."""
    shared = find_still_blocks(model, passes)
    patterns: dict[str, list[str]] = {}
    for name in shared:
        patterns.setdefault(_INDEX.sub(r"\1*", name), []).append(name)
    return [
        Finding(
            f"{CODE}-015",
            Severity.WARNING,
            f"Part of the weight of `{names[0].rpartition('.')[0]}` is never trained: its rows {shared[names[0]][0]} "
            f"to {shared[names[0]][1] - 1} of {shared[names[0]][2]} get a gradient of exactly zero.",
            names[0].rpartition(".")[0],
            {
                "parameters": names[:_NAMES_SHOWN],
                "first_row": shared[names[0]][0],
                "rows": shared[names[0]][2],
            },
            "Use every part that this projection is split into (queries, keys, values, gates), or make it narrower.",
        )
        for names in patterns.values()
    ]


def _is_masked_by_buffer(owner: nn.Module, weight: nn.Parameter, start: int, stop: int) -> bool:
    """Whether a buffer of the weight's shape is zero in these rows and not elsewhere: a mask that the layer declares.

    A masked autoregressive network hides every input from the outputs of its first feature.
    """
    for buffer in owner.buffers(recurse=False):
        if buffer.shape == weight.shape and not bool(buffer[start:stop].any()) and bool(buffer.any()):
            return True
    return False


def judge_routing(model: nn.Module, first: GradientPass, chosen: Sequence[StarvedModule]) -> list[Finding]:
    """Routers that choose and are never trained."""
    routers = [i.path for i in chosen if i.whole and _is_router(model, i.path)]
    routers += [path for path in _find_still_routers(model, first) if path not in routers]
    if not routers:
        return []
    return [
        Finding(
            f"{CODE}-016",
            Severity.WARNING,
            f"The router `{routers[0]}` chooses experts but gets no gradient, so it is never trained.",
            routers[0],
            {"routers": routers[:_NAMES_SHOWN]},
            "Multiply each expert's output by its router weight. With top-1 routing, do not normalise that weight: it "
            "would always be 1.",
        )
    ]


def _find_still_routers(model: nn.Module, first: GradientPass) -> list[str]:
    """Routers whose gradient is rounding: a weight of one choice that is divided by itself."""
    norms = sorted(norm for norm in first.norms.values() if norm)
    if not norms:
        return []
    rounding = _ROUNDING * norms[len(norms) // 2]
    return [
        name.rpartition(".")[0]
        for name, norm in first.norms.items()
        if norm and norm < rounding and _is_router(model, name.rpartition(".")[0])
    ]


def _is_router(model: nn.Module, path: str) -> bool:
    name = path.rpartition(".")[2].lower()
    return isinstance(model.get_submodule(path), nn.Linear) and ("router" in name or name in ("gate", "wg"))


def judge_idle_experts(model: nn.Module, first: GradientPass, tokens: int) -> list[Finding]:
    """Experts that no token is ever sent to, the same ones in every layer."""
    idle: dict[str, list[str]] = {}
    for path, module in model.named_modules():
        if not isinstance(module, nn.ModuleList) or "expert" not in path.rpartition(".")[2].lower():
            continue
        members = [
            f"{path}.{name}"
            for name, child in module.named_children()
            if any(True for _ in child.parameters())
        ]
        unused = [
            member
            for member in members
            if not any(id(p) in first.log.used for p in model.get_submodule(member).parameters())
        ]
        if unused and len(unused) < len(members) and tokens >= TOKENS_PER_EXPERT * len(members):
            idle[path] = unused
    same = {tuple(member.rpartition(".")[2] for member in members) for members in idle.values()}
    if len(idle) < 2 or len(same) != 1:
        return []
    first_idle = next(iter(idle.values()))[0]
    numbers = ", ".join(sorted(same.pop()))
    return [
        Finding(
            f"{CODE}-017",
            Severity.WARNING,
            f"In every layer, expert(s) {numbers} receive none of the {tokens} tokens that were tried.",
            first_idle,
            {"experts": [member for members in idle.values() for member in members][:_NAMES_SHOWN]},
            "Choose experts with `topk` over the router scores of all experts, not from a fixed list or a part of "
            "them.",
        )
    ]

"""Layers of a list that the forward skips, although it runs others of the same class."""

from __future__ import annotations

from collections.abc import Iterable

from torch import nn

from tierproof.core.finding import Finding, Severity
from tierproof.model.observe.operation_log import OperationLog

CODE = "T1-GRAD"
_NAMES_SHOWN = 8


def judge_skipped_layers(
    model: nn.Module, log: OperationLog, unused: Iterable[str]
) -> tuple[list[Finding], set[str]]:
    """One finding for each list, and the paths of the layers they speak of.

    Args:
        unused: paths of modules whose parameters the forward did not touch.
    """
    lists: dict[str, list[str]] = {}
    for path in unused:
        layer = _find_skipped_layer(model, path, log)
        if layer is not None and layer not in (skipped := lists.setdefault(layer.rpartition(".")[0], [])):
            skipped.append(layer)
    findings = [
        _report(parent, layers, _count_used(model, layers[0], log)) for parent, layers in lists.items()
    ]
    return findings, {layer for layers in lists.values() for layer in layers}


def _find_skipped_layer(model: nn.Module, path: str, log: OperationLog) -> str | None:
    """The outermost member of a list on the way to a module that is unused while its equals are used."""
    parts = path.split(".")
    for length in range(1, len(parts) + 1):
        member = ".".join(parts[:length])
        # Experts are passed over by design.
        if not parts[length - 1].isdigit() or "expert" in member.lower() or _is_used(model, member, log):
            continue
        siblings = model.get_submodule(".".join(parts[: length - 1]))
        if isinstance(siblings, nn.ModuleList | nn.Sequential):
            is_layer = not isinstance(model.get_submodule(member), nn.Dropout)
            return member if is_layer and _count_used(model, member, log) else None
    return None


def _count_used(model: nn.Module, member: str, log: OperationLog) -> int:
    """How many of the members of the same class are used."""
    kind, parent = type(model.get_submodule(member)), member.rpartition(".")[0]
    prefix = f"{parent}." if parent else ""
    children = model.get_submodule(parent).named_children()
    return sum(type(child) is kind and _is_used(model, f"{prefix}{name}", log) for name, child in children)


def _is_used(model: nn.Module, path: str, log: OperationLog) -> bool:
    return any(id(parameter) in log.used for parameter in model.get_submodule(path).parameters())


def _report(parent: str, layers: list[str], used: int) -> Finding:
    first, *others = layers
    if others:
        names = ", ".join(f"`{layer.rpartition('.')[2]}`" for layer in layers[:3])
        more = f" and {len(layers) - 3} more" if len(layers) > 3 else ""
        owner = f"`{parent}`" if parent else "the model"
        message = f"Layers {names}{more} of {owner} are never used, although others of the same class are."
    else:
        message = f"Layer `{first}` is never used, although its neighbours of the same class are."
    return Finding(
        f"{CODE}-006",
        Severity.WARNING,
        message,
        where=first,
        evidence={"layers": layers[:_NAMES_SHOWN], "count": len(layers), "neighbours_used": used},
        hint="Run every layer in the loop (check that its range is not one short), or remove the unused layers.",
    )

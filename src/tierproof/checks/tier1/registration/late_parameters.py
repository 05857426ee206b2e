"""Parameters that a forward pass makes, and one module that stands in several places of a list."""

from __future__ import annotations

from torch import nn

from tierproof.core.finding import Finding, Severity
from tierproof.model.describe.subject import Subject


def check_late_parameters(subject: Subject, seed: int) -> list[Finding]:
    """Parameters that are registered only by the first forward: an optimizer that was made before lacks them.

    Lazy modules of torch.nn announce theirs before, as uninitialised parameters, and are no finding.
    """
    model = subject.model
    before = {name for name, _ in model.named_parameters()}
    subject.model.eval()
    try:
        subject.forward(subject.make_call(seed=seed))
    except Exception:  # noqa: BLE001 - a forward that raises is T1-SHAPE's finding
        return []
    late = [name for name, _ in model.named_parameters() if name not in before]
    if not late:
        return []
    owner = late[0].rpartition(".")[0]
    return [
        Finding(
            "T1-REG-012",
            Severity.ERROR,
            f"The first forward registers {len(late)} new parameter(s), such as {late[0]}: an optimizer that was "
            "made before does not train them, and a state_dict saved before lacks them.",
            _find_maker(owner, before),
            {"parameters": late[:8], "count": len(late)},
            "Create layers in __init__, or use torch.nn's lazy modules and run one forward before the optimizer.",
        )
    ]


def _find_maker(owner: str, before: set[str]) -> str:
    """The module that holds what was made: the innermost one that was there before, or the new one's parent."""
    parts = owner.split(".")
    for length in range(len(parts), 0, -1):
        path = ".".join(parts[:length])
        if any(name.startswith(path + ".") for name in before):
            return path
    return ""


def check_repeated_modules(model: nn.Module) -> list[Finding]:
    """Lists of which every place holds one and the same module with parameters: `[layer] * n`."""
    findings = []
    for path, module in model.named_modules():
        if not isinstance(module, nn.ModuleList | nn.Sequential):
            continue
        members = list(module._modules.values())
        same = len(members) > 1 and all(member is members[0] for member in members)
        if same and members[0] is not None and any(True for _ in members[0].parameters()):
            findings.append(
                Finding(
                    "T1-REG-011",
                    Severity.WARNING,
                    f"All {len(members)} places of {path or 'the list'} hold one and the same module: its layers "
                    "share every parameter.",
                    path,
                    {"places": len(members), "class": type(members[0]).__name__},
                    "Make one for each place: nn.ModuleList([Layer() for _ in range(n)]). Sharing on purpose "
                    "(ALBERT) reads better as a loop over one layer.",
                )
            )
    return findings

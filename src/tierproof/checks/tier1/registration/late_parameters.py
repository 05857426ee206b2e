"""Parameters that only the first forward creates, and modules that several entries of a list share."""

from __future__ import annotations

from torch import nn

from tierproof.checks.claim import claim_error
from tierproof.core.finding import Finding, Severity
from tierproof.model.compare.short_call import make_short_call
from tierproof.model.compare.steady_answer import SHORT_LENGTH
from tierproof.model.describe.basis import Basis
from tierproof.model.describe.subject import Subject


def check_late_parameters(subject: Subject, seed: int) -> list[Finding]:
    """Find parameters that only the first forward registers: an optimizer created before it lacks them.

    Lazy modules of torch.nn register theirs early, as uninitialised parameters, and are not reported.
    """
    model = subject.model
    before = {name for name, _ in model.named_parameters()}
    subject.model.eval()
    try:
        subject.forward(make_short_call(subject, seed))
    except Exception:  # noqa: BLE001 - a forward that raises is T1-SHAPE's finding
        return []
    late = [name for name, _ in model.named_parameters() if name not in before]
    if not late:
        return []
    owner = late[0].rpartition(".")[0]
    return [
        claim_error(
            "T1-REG-012",
            f"The first forward registers {len(late)} new parameter(s), such as `{late[0]}`: an optimizer created "
            "before does not train them, and a state_dict saved before lacks them.",
            _find_maker(owner, before),
            {"parameters": late[:8], "count": len(late)},
            "Create layers in `__init__`, or use torch.nn's lazy modules and run one forward before you create the "
            "optimizer.",
            rests_on=Basis.STATE,
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


def check_replaced_parameters(subject: Subject, seed: int) -> list[Finding]:
    """Find trainable parameters that a forward replaces by new ones: an optimizer goes on training the old ones.

    Asked in training mode, where it does the harm. A second forward must confirm it: what happens once only is a
    matter of when the optimizer is made. The running statistics that the forward moves are left to the caller.
    """
    replaced = _find_replaced(subject, seed)
    if not replaced or not (replaced := _find_replaced(subject, seed + 1)):
        return []
    return [
        claim_error(
            "T1-REG-013",
            f"Each forward replaces {len(replaced)} parameter(s) by new objects, such as `{replaced[0]}`: an optimizer "
            "goes on training the old ones, which the model no longer uses.",
            replaced[0].rpartition(".")[0],
            {"parameters": replaced[:8], "count": len(replaced)},
            "Change values in place under `torch.no_grad()` (`self.weight.copy_(…)`), or compute a tensor from the "
            "parameter in `forward` instead of assigning a new `nn.Parameter`.",
            rests_on=Basis.RUN,
        )
    ]


def _find_replaced(subject: Subject, seed: int) -> list[str]:
    """Trainable parameters that are other objects after a forward in training mode than before it."""
    before = dict(subject.model.named_parameters())
    subject.model.train()
    try:
        length = subject.inputs.clip_length(SHORT_LENGTH)
        subject.forward(subject.make_call(length=length, seed=seed))
    except Exception:  # noqa: BLE001 - a forward that raises is T1-SHAPE's and T1-GRAD's finding
        return []
    finally:
        subject.model.eval()
    after = dict(subject.model.named_parameters())
    return [name for name, p in before.items() if name in after and after[name] is not p and p.requires_grad]


def check_repeated_modules(model: nn.Module) -> list[Finding]:
    """Find lists whose entries are all the same module with parameters: `[layer] * n`."""
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
                    f"All {len(members)} entries of {f'`{path}`' if path else 'the list'} are the same module "
                    "object, so "
                    "they share every parameter.",
                    path,
                    {"places": len(members), "class": type(members[0]).__name__},
                    "Create a module for each entry: `nn.ModuleList([Layer() for _ in range(n)])`. To share one on "
                    "purpose (ALBERT), call one layer in a loop.",
                )
            )
    return findings


def check_shared_parts(model: nn.Module) -> list[Finding]:
    """Find layers of which all blocks of a stack hold one and the same, while they have others of their own."""
    findings = []
    for path, container in model.named_modules():
        if not isinstance(container, nn.ModuleList | nn.Sequential):
            continue
        members = list(container.children())
        if len(members) < 2 or len({type(member) for member in members}) != 1:
            continue
        parts = [{name: part for name, part in member.named_modules() if name} for member in members]
        shared = [name for name, part in parts[0].items() if all(p.get(name) is part for p in parts[1:])]
        own = [name for name in parts[0] if name not in shared and _count_weights(parts[0][name]) > 0]
        heavy = [name for name in shared if _count_weights(parts[0][name]) > 1]
        outer = [name for name in heavy if name.rpartition(".")[0] not in shared]
        if outer and own:
            findings.append(_report_shared_part(path, outer[0], members))
    return findings


def _count_weights(module: nn.Module) -> int:
    """How many linear and convolutional layers it holds, itself among them."""
    layers = (nn.Linear, nn.Conv1d, nn.Conv2d)
    return sum(isinstance(part, layers) for part in module.modules())


def _report_shared_part(path: str, part: str, members: list[nn.Module]) -> Finding:
    return Finding(
        "T1-REG-015",
        Severity.INFO if "shared" in part.lower() else Severity.WARNING,
        f"All {len(members)} blocks of `{path}` hold the same module object as `{part}`, although their other layers "
        "are separate objects.",
        f"{path}.1.{part}",
        {"part": part, "blocks": len(members)},
        f"Create `{part}` in the block's `__init__`, or copy it for each block. Nothing to do if the blocks are "
        "meant to share it.",
    )

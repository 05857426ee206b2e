"""Find norms whose gain starts at zero, so that the layer after them receives only zeros."""

from __future__ import annotations

import itertools
from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn.parameter import is_lazy

from tierproof.core.finding import Finding, Severity
from tierproof.model.describe.subject import Subject
from tierproof.model.observe.module_watch import watch_modules

CODE = "T1-INIT"
_NAMES_SHOWN = 8


def judge_zero_gains(subject: Subject, seed: int) -> list[Finding]:
    """One finding for all norms that hand zeros to the layer behind them.

    The last norm of a residual branch may start at zero (Goyal et al. 2017, section 5.1): what it gives is added. A
    norm in front of a layer may not, unless its forward adds one to the gain (Gemma), and then it gives no zeros.
    """
    gains = [path for path, module in subject.model.named_modules() if _has_zero_gain(module)]
    if not gains:
        return []
    torch.manual_seed(seed)
    with torch.no_grad(), watch_modules(subject.model, _are_zero) as calls:
        subject.forward(subject.make_call(seed=seed))
    leaves = [call for call in calls if next(subject.model.get_submodule(call.path).children(), None) is None]
    silent = {
        call.path: following.path
        for call, following in itertools.pairwise(leaves)
        if call.path in gains
        and not call.before
        and call.after
        and following.before
        and _has_matrix(subject.model.get_submodule(following.path))
    }
    if not silent:
        return []
    first, follower = next(iter(silent.items()))
    more = f" {len(silent) - 1} more norm(s) also start with a gain of zero." if len(silent) > 1 else ""
    return [
        Finding(
            f"{CODE}-008",
            Severity.WARNING,
            f"`{first}` starts with a gain of zero, so `{follower}` receives only zeros.{more}",
            where=first,
            evidence={"norms": list(silent)[:_NAMES_SHOWN], "count": len(silent)},
            hint="Start gains at one, or add one to them in `forward` as Gemma does.",
        )
    ]


def _has_zero_gain(module: nn.Module) -> bool:
    gains = [
        p
        for name, p in module.named_parameters(recurse=False)
        if not is_lazy(p) and p.dim() == 1 and p.numel() > 1 and not name.endswith("bias")
    ]
    return bool(gains) and not any(bool(p.detach().any()) for p in gains) and not _has_matrix(module)


def _has_matrix(module: nn.Module) -> bool:
    return any(not is_lazy(p) and p.dim() >= 2 for p in module.parameters(recurse=False))


def _are_zero(tensors: Sequence[Tensor]) -> bool:
    floats = [t for t in tensors if t.is_floating_point()]
    return bool(floats) and not any(bool(t.any()) for t in floats)

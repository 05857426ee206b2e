"""Fill the running statistics of fresh batch norms, without which evaluation mode is meaningless."""

from __future__ import annotations

from typing import Any

import torch
from torch import nn
from torch.nn.modules.batchnorm import _BatchNorm

from tierproof.model.describe.subject import Subject

# Variances over fewer rows are noise where an image has shrunk to one pixel.
_BATCH = 8


def settle_batch_norms(subject: Subject, seed: int) -> str:
    """Run one batch of random inputs through the model with its fresh batch norms in training mode.

    A fresh batch norm divides by 1. In evaluation mode, the outputs of a deep convolutional network then fade to
    zero for any weights (those of MobileViT differ by 1e-41). Training flags are restored here; the caller must
    restore the statistics and everything else that a forward pass changes.

    Returns:
        What was done, for the report; empty if there was no need, or if the model raised.
    """
    fresh: list[Any] = [module for module in subject.model.modules() if _is_fresh(module)]
    if not fresh:
        return ""
    modes = [(module, module.training) for module in subject.model.modules()]
    momenta = [module.momentum for module in fresh]
    batch = _BATCH if subject.inputs.has_batch else None
    try:
        call = subject.make_call(batch=batch, seed=seed)
        subject.model.eval()
        for module in fresh:
            module.train()
            module.momentum = None  # the mean of what was seen, not a step towards it
        torch.manual_seed(seed)
        with torch.no_grad():
            call.run(subject.model)
        subject.passes.forget()
    except Exception:  # noqa: BLE001 - it stays as it is; what a size or a mode breaks is for T1-SHAPE to tell
        return ""
    finally:
        for module, training in modes:
            module.training = training
        for module, momentum in zip(fresh, momenta, strict=True):
            module.momentum = momentum
    return f"{len(fresh)} batch norm(s) had no running statistics yet, so those of one batch of random inputs were used"


def _is_fresh(module: nn.Module) -> bool:
    if not isinstance(module, _BatchNorm) or module.running_mean is None or module.running_var is None:
        return False
    if nn.parameter.is_lazy(module.running_mean) or module.running_mean.is_meta:
        return False
    return not bool(module.running_mean.any()) and bool((module.running_var == 1).all())

"""Compute a loss of the kind that the model is trained with, so that memory and gradients are realistic."""

from __future__ import annotations

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from tierproof.model.call.outputs import OutputPlan, iterate_tensors


def compute_training_loss(outputs: OutputPlan, output: Any) -> Tensor:
    """Return the model's own loss, else the cross-entropy of its logits, else the mean square of its answer.

    Args:
        outputs: what is known of the model's outputs.
        output: what one forward pass returned.

    Returns:
        A scalar tensor.
    """
    if outputs.loss is not None:
        for path, tensor in iterate_tensors(output):
            if path == outputs.loss:
                return tensor
    answer = outputs.follow(output)
    if outputs.role == "logits" and answer.dim() > 1:
        rows = answer.reshape(-1, answer.shape[-1])
        targets = torch.zeros(rows.shape[0], dtype=torch.long, device=rows.device)
        return F.cross_entropy(rows, targets)
    return answer.abs().square().mean()

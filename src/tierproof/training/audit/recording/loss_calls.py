"""Read what a call of a loss function of torch.nn.functional was given."""

from __future__ import annotations

from types import FrameType

import torch
from torch import Tensor

LOSS_FUNCTIONS = frozenset(
    {"cross_entropy", "nll_loss", "mse_loss", "l1_loss", "smooth_l1_loss", "huber_loss"}
)
_CLASSIFYING = frozenset({"cross_entropy", "nll_loss"})
# Sums of probabilities differ from one by rounding only; bfloat16 keeps three digits.
_TOLERANCE = 1e-2


def describe_loss_call(frame: FrameType) -> dict[str, float] | None:
    """Figures of the call that a frame begins; None where it is no call of such a loss.

    `classes` (their number, 0 for other losses), `mean` (whether reduction is "mean"), `targets` and `counted` (how
    many there are, and how many are not ignored), `probabilities` (whether cross_entropy got scores that are
    probabilities already), `unnormalised` (whether nll_loss got scores that are no log-probabilities), `stretched`
    (whether inputs and targets differ in shape so that each is compared with several of the other).
    """
    known = frame.f_locals
    scores, target = known.get("input"), known.get("target")
    if not frame.f_code.co_filename.endswith("functional.py"):
        return None
    if not isinstance(scores, Tensor) or not isinstance(target, Tensor):
        return None
    caller = frame.f_back.f_code.co_name if frame.f_back is not None else ""
    if caller in {"cross_entropy", "__torch_function__"}:  # a call inside of one that was seen already
        return None
    name = frame.f_code.co_name
    with torch.no_grad(), torch._C.DisableTorchFunction():
        classes = name in _CLASSIFYING and not target.is_floating_point()
        ignored = int((target == known["ignore_index"]).sum()) if classes else 0
        return {
            "classes": float(scores.shape[min(1, scores.dim() - 1)] if classes else 0),
            "mean": float(known.get("reduction") == "mean"),
            "targets": float(target.numel()),
            "counted": float(target.numel() - ignored),
            "probabilities": float(name == "cross_entropy" and _sums_to_one(scores)),
            "unnormalised": float(name == "nll_loss" and not _sums_to_one(scores.detach().float().exp())),
            "stretched": float(name not in _CLASSIFYING and _is_stretched(scores, target)),
        }


def _sums_to_one(scores: Tensor) -> bool:
    """Whether the scores are not negative and sum to one over the classes, everywhere."""
    values = scores.detach().float()
    if not values.numel() or values.dim() == 0 or bool((values < 0).any()):
        return False
    sums = values.sum(1 if values.dim() > 1 else 0)
    return bool(((sums - 1).abs() <= _TOLERANCE).all())


def _is_stretched(scores: Tensor, target: Tensor) -> bool:
    if scores.shape == target.shape:
        return False
    try:
        shape = torch.broadcast_tensors(scores, target)[0].shape  # type: ignore[no-untyped-call]
    except RuntimeError:  # the loss itself raises
        return False
    return bool(shape.numel() > max(scores.numel(), target.numel()))

"""Find where the targets of a sequence model stand in the tokens of its batch."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import Tensor

from tierproof.training.audit.recording.step_record import OutputUse
from tierproof.training.audit.trials.audit_evidence import AuditEvidence, VisibleTrial

_OFFSETS = (-2, -1, 0, 1, 2, 3)
_LEAST_SHARE, _LEAST_TARGETS = 0.95, 6


@dataclass(frozen=True)
class TargetOffset:
    """The target at position t of an output is the tensor's token at t + `offset`.

    Attributes:
        output: path of the output.
        tensor: path of the tensor in the batch.
        offset: in positions.
        share: of the targets for which this holds.
        is_input: whether the tensor's tokens change the scores.
        visible: whether the token at t + `offset` changes the scores at t.
        may_be_meant: whether an autoencoder does the same, whose outputs see later tokens too and whose targets are
            not shifted; or whether the batch has another tensor of just these targets.
    """

    output: str
    tensor: str
    offset: int
    share: float
    is_input: bool
    visible: bool
    may_be_meant: bool


def find_offsets(evidence: AuditEvidence) -> tuple[TargetOffset, ...]:
    """The offset for each output with a score at each position, in each integer tensor where there is one."""
    record = evidence.quiet or evidence.plain[0]
    trials = {trial.what: trial for trial in evidence.visible}
    found = []
    for index, use in enumerate(record.outputs):
        if len(use.shape) != 3 or not use.is_cross_entropy:
            continue
        for name, tensor in evidence.batch_tensors.items():
            offset = _match(use, tensor)
            if offset is None:
                continue
            trial = trials.get(name)
            changed = trial.changed.get(index) if trial is not None else None
            visible = trial is not None and changed is not None and _sees(use, trial, changed, offset[0])
            is_input = changed is not None and bool(changed.any())
            early = trial is not None and changed is not None and bool(changed[: trial.position].any())
            given = _is_given(use, name, evidence.batch_tensors)
            found.append(
                TargetOffset(use.path, name, *offset, is_input, visible, given or (early and not offset[0]))
            )
    return tuple(found)


def _is_given(use: OutputUse, name: str, tensors: Mapping[str, Tensor]) -> bool:
    """Whether another tensor of the batch, unlike the one of this name, is the targets as they stand."""
    counted = use.targets >= 0
    for other, tensor in tensors.items():
        if other == name or tensor.shape != use.targets.shape or tensor.is_floating_point():
            continue
        same = bool((tensor.to(use.targets.device) == use.targets)[counted].all())
        if same and not torch.equal(tensor, tensors[name]):
            return True
    return False


def _match(use: OutputUse, tensor: Tensor) -> tuple[int, float] | None:
    """The one offset at which the tensor's tokens are the targets; None where none or several fit."""
    rows, length = use.targets.shape
    if tensor.dim() != 2 or tensor.is_floating_point() or tensor.shape[0] != rows:
        return None
    if abs(tensor.shape[1] - length) > max(_OFFSETS):
        return None
    shares = {}
    for offset in _OFFSETS:
        first, last = max(0, -offset), min(length, tensor.shape[1] - offset)
        targets = use.targets[:, first:last]
        tokens = tensor[:, first + offset : last + offset].to(targets.device)
        counted = targets >= 0
        if int(counted.sum()) < _LEAST_TARGETS:
            continue
        shares[offset] = float((targets == tokens)[counted].float().mean())
    fitting = [offset for offset, share in shares.items() if share >= _LEAST_SHARE]
    return (fitting[0], shares[fitting[0]]) if len(fitting) == 1 else None


def _sees(use: OutputUse, trial: VisibleTrial, changed: Tensor, offset: int) -> bool:
    """Whether the changed row sees the token of its target: the loop may have masked it, or given it no target."""
    place = trial.position - offset
    if not 0 <= place < len(changed) or int(use.targets[trial.row, place]) < 0:
        return False
    return bool(changed[place])

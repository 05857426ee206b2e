"""Find where the targets of a sequence model stand in the tokens of its batch."""

from __future__ import annotations

from dataclasses import dataclass

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
    """

    output: str
    tensor: str
    offset: int
    share: float
    is_input: bool
    visible: bool


def find_offsets(evidence: AuditEvidence) -> tuple[TargetOffset, ...]:
    """The offset for each output with a score at each position, in each integer tensor where there is one."""
    record = evidence.quiet or evidence.plain[0]
    trials = {trial.what: trial for trial in evidence.visible}
    found = []
    for use in record.outputs:
        if len(use.shape) != 3 or not use.is_cross_entropy:
            continue
        for name, tensor in evidence.batch_tensors.items():
            offset = _match(use, tensor)
            if offset is None:
                continue
            trial = trials.get(name)
            changed = trial.changed.get(use.path) if trial is not None else None
            visible = trial is not None and changed is not None and _sees(trial, changed, offset[0])
            is_input = changed is not None and bool(changed.any())
            found.append(TargetOffset(use.path, name, *offset, is_input, visible))
    return tuple(found)


def _match(use: OutputUse, tensor: Tensor) -> tuple[int, float] | None:
    """The one offset at which the tensor's tokens are the targets; None where none or several fit."""
    rows, length = use.targets.shape
    if tensor.dim() != 2 or tensor.is_floating_point() or tensor.shape[0] != rows:
        return None
    if abs(tensor.shape[1] - length) > 1:
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


def _sees(trial: VisibleTrial, changed: Tensor, offset: int) -> bool:
    place = trial.position - offset
    return 0 <= place < len(changed) and bool(changed[place])

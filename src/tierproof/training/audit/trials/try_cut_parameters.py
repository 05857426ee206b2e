"""Move parameters that get no gradient, and see whether the loss depends on them."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping

import torch

from tierproof.training.audit.trials.audit_evidence import AuditEvidence, CutTrial
from tierproof.training.audit.trials.step_runner import StepRunner
from tierproof.training.audit.trials.without_dropout import WithoutDropout

_MOST_TRIALS = 3


def find_suspects(evidence: AuditEvidence) -> Mapping[str, tuple[str, ...]]:
    """Parameters that an optimizer holds, that are trainable, and that never get a gradient, by module.

    Modules of one parent that are suspects as a whole are joined, so that few trials are enough.
    """
    updates = [update for record in evidence.plain for update in record.updates]
    if not updates:
        return {}
    silent = {
        each.path
        for each in evidence.parameters
        if each.trainable
        and each.holders
        and all(update.gradients.get(each.path) is None for update in updates)
    }
    by_module: dict[str, list[str]] = defaultdict(list)
    for path in sorted(silent):
        by_module[path.partition(".")[0]].append(path)
    return {module: tuple(paths) for module, paths in by_module.items()}


def try_cut_parameters(runner: StepRunner, suspects: Mapping[str, tuple[str, ...]]) -> tuple[CutTrial, ...]:
    """One quiet call for each module of suspects, after their values were moved by a tenth of their spread."""
    trials = []
    for module, paths in list(suspects.items())[:_MOST_TRIALS]:
        if not runner.affords(1, f"moving {module}"):
            break
        runner.state.restore()
        parameters = dict(runner.parts.model.named_parameters())
        generator = torch.Generator().manual_seed(len(paths))
        with torch.no_grad():
            for path in paths:
                values = parameters[path]
                spread = float(values.float().std()) if values.numel() > 1 else 0.0
                noise = torch.randn(values.shape, generator=generator).to(values)
                values.add_(noise, alpha=0.3 * (spread or 1.0))
        try:
            with WithoutDropout():
                record = runner.run(runner.batch(0))
        except Exception as error:  # noqa: BLE001 - noted in the evidence
            runner.not_tried.append(f"moving {module}: the step raised {type(error).__name__}")
            continue
        trials.append(CutTrial(module, paths, record))
    return tuple(trials)

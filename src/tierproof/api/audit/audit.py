"""`tierproof.audit`: look at a few of your own training steps, exactly."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any

from tierproof._optional import require
from tierproof.api.show.progress import ProgressOption
from tierproof.api.show.verdict import show_verdict

if TYPE_CHECKING:
    from torch import Tensor, nn
    from torch.optim import Optimizer

    from tierproof.core.report import Report


def audit(
    step: Any = None,
    batches: Iterable[Any] | None = None,
    *,
    held_out: Iterable[Any] | None = None,
    model: nn.Module | None = None,
    optimizer: Optimizer | Iterable[Optimizer] | None = None,
    scheduler: Any = None,
    scaler: Any = None,
    ema: Any = None,
    loss_fn: Callable[[Any, Any], Tensor] | None = None,
    accumulate: int = 1,
    seed: int = 0,
    progress: ProgressOption = True,
    target: str = "",
) -> Report:
    """Audit a training step: at most thirty steps are run and judged by exact rules. Everything is left as it came.

    Model, optimizer, scheduler, scaler and averaged weights are found in what the step closes over, its globals and
    `self`; the report says where. Restored afterwards, bit for bit: these, the step's own variables, the batches and
    the random generators.

    Args:
        step: `step(batch)` does one whole training step and returns its loss; or a `transformers.Trainer`; or None,
            where `model`, `optimizer` and `batches` are given and the step is made of them.
        batches: two or more batches, as the step takes them; of different lengths if yours are. A trainer's own data
            is taken where it is None.
        held_out: batches of the evaluation set, of which no row should be in `batches`.
        model, optimizer, scheduler, scaler, ema: what cannot be found, or may be meant otherwise.
        loss_fn, accumulate: where `step` is None: called with the model's answer and the second part of the batch; a
            batch is a list of so many micro-batches.
        seed, target: of the steps; the name that the report carries.
        progress: a bar in a terminal or notebook, or a function of (done, total, name).

    Returns: a report as of `check`, with results of tier 3.

    Raises:
        TierproofError: the step raises, or a part of it cannot be found; the message says what to pass.
    """
    require("torch", feature="to audit a training step")
    from tierproof.api.audit.audit_step import AuditRequest, run_audit

    request = AuditRequest(
        step=step,
        batches=batches,
        held_out=held_out,
        model=model,
        optimizer=optimizer,
        scheduler=scheduler,
        scaler=scaler,
        ema=ema,
        loss_fn=loss_fn,
        accumulate=accumulate,
        seed=seed,
        progress=progress,
        target=target,
    )
    report = run_audit(request)
    show_verdict(report, progress)
    return report

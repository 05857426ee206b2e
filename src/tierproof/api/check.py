"""`tierproof.check`: validate a model and give a report."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from tierproof._optional import require
from tierproof.api.check_options import CheckOptions, read_codes
from tierproof.api.load_model import load_model
from tierproof.api.show.progress import ProgressOption
from tierproof.api.show.verdict import show_verdict

if TYPE_CHECKING:
    from torch import nn

    from tierproof.core.report import Report
    from tierproof.model.call.spec import ModelSpec


def check(
    model: nn.Module | str,
    *,
    tier: int | str = 1,
    inputs: Any = None,
    examples: Any = None,
    tokenizer: Any = None,
    labels: Sequence[int] | None = None,
    spec: ModelSpec | None = None,
    only: Sequence[str] = (),
    skip: Sequence[str] = (),
    seed: int = 0,
    budget_s: float | None = None,
    device: str | None = None,
    progress: ProgressOption = True,
    target: str = "",
    assumptions: Sequence[str] = (),
) -> Report:
    """Validate a model. It is left as it came, bit for bit, also after an error or Ctrl-C.

    Args:
        model: an nn.Module or a TARGET. A class is built where it needs no arguments; what wraps a model (a pipeline,
            Lightning, DataParallel, torch.compile, PEFT) is taken off, and the report says so.
        tier: one that is built, or "all".
        inputs: a tensor, tuple, dict, or a function that returns one; worked out when None.
        examples, tokenizer, labels: your own data for tier 2: texts with a tokenizer, lists of token ids, tensors or
            batches, and the class of each. Random inputs are drawn when None.
        spec: what you declare about the model.
        only, skip: codes of checks or prefixes, such as "T1-GRAD" or "T1-S". Those of another tier select it.
        seed, device: of every random draw; "cpu" or "cuda", where the model lies by default.
        budget_s: seconds for everything; the least valuable checks are left out, with the reason.
        progress: a bar in a terminal or notebook, or a function of (done, total, name).
        target, assumptions: the name that the report carries, and notes from loading that it shows.

    Raises:
        TierproofError: the model cannot be loaded, called or judged; the message says what to do.
    """
    started_s = time.monotonic()
    require("torch", feature="to check a model")
    from tierproof.analysis.examples.given_examples import collect_examples
    from tierproof.api.check_loaded import check_loaded

    options = CheckOptions(
        tier=tier,
        inputs=inputs,
        spec=spec,
        only=read_codes(only),
        skip=read_codes(skip),
        seed=seed,
        budget_s=budget_s,
        device=device,
        progress=progress,
        examples=collect_examples(examples, tokenizer, labels),
        started_s=started_s,
    )
    loaded = load_model(model, seed)
    loaded = replace(loaded, target=target or loaded.target, assumptions=(*assumptions, *loaded.assumptions))
    report = check_loaded(loaded, options)
    show_verdict(report, progress)
    return report

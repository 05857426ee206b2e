"""`tierproof.attribute`: which tokens, patches or segments decide an answer, by three methods side by side."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from tierproof._optional import is_installed, require
from tierproof.analysis.attribution.attribution_figures import INTEGRATED, METHODS
from tierproof.api.packages.read_extras import read_extras
from tierproof.api.show.progress import ProgressOption, open_progress
from tierproof.errors import UsageError

if TYPE_CHECKING:
    from torch import nn

    from tierproof.analysis.attribution.attribute_row import AttributionOptions
    from tierproof.api.analysis.attribution_view import AttributionView
    from tierproof.model.call.spec import ModelSpec


def attribute(
    model: nn.Module | str,
    examples: Any = None,
    target: Any = None,
    *,
    tokenizer: Any = None,
    baseline: str | int | float | None = None,
    methods: Sequence[str] = METHODS,
    most_steps: int = 320,
    most_pieces: int = 256,
    install: str = "never",
    spec: ModelSpec | None = None,
    seed: int = 0,
    budget_s: float | None = None,
    progress: ProgressOption = True,
) -> AttributionView:
    """Score what each token, patch or segment adds to an answer. The model is left as it came, bit for bit.

    Integrated gradients (arXiv 1703.01365, by captum) walk from the baseline to the input in as many steps as the sum
    and the ranking of the scores need; gradient × input and ablation need no package. Ctrl-C and the end of the budget
    keep what is finished.

    Args:
        model: an nn.Module, or a TARGET as on the command line.
        examples, tokenizer: texts with a tokenizer, lists of token ids, tensors or batches. None for random inputs.
        target: a class, (position, class), or a function from the answer [rows, …] to one score a row. None for the
            predicted class (next token, masked token, pooled answer), else how far the answer moves off the baseline's.
        baseline: *no input*: "zero", "padding", "mean", a token id, or a value for what is no token. None for the
            padding token's embedding or zeros (the mean of the example's own embeddings where the answer jumps as it
            leaves these), an image's own mean colour, and zeros for other real numbers.
        methods: of "integrated_gradients", "gradient_times_input" and "ablation".
        most_steps, most_pieces: of one path; that one input is cut into, where neighbours share a score beyond it.
        install: "auto" adds captum where it is lacking, as `tierproof.install` does; "never" leaves its method out.
        spec, seed: what you declare about the model; of every random draw.
        budget_s: seconds for everything; None for no limit.
        progress: a bar in a terminal or notebook, or a function of (done, total, name).

    Raises:
        UsageError: the target, the baseline, a method or an example does not fit.
        MissingPackageError, BrokenPackageError: only integrated gradients were asked for, without a captum that works.
        TierproofError: the model cannot be loaded or called; the message says what to do.
    """
    ends_s = _find_end(budget_s)
    require("torch", feature="to attribute answers")
    methods = (methods,) if isinstance(methods, str) else tuple(methods)
    if INTEGRATED in methods:
        _provide_captum(install)
    from tierproof.analysis.attribution.attribute_row import AttributionOptions

    options = AttributionOptions(target, baseline, methods, most_steps, most_pieces, seed=seed)
    return _measure(model, examples, tokenizer, options, spec=spec, ends_s=ends_s, progress=progress)


def _measure(
    model: nn.Module | str,
    examples: Any,
    tokenizer: Any,
    options: AttributionOptions,
    *,
    spec: ModelSpec | None,
    ends_s: float | None,
    progress: ProgressOption,
) -> AttributionView:
    from tierproof.analysis.attribution.measure_attribution import measure_attribution
    from tierproof.analysis.attribution.special_tokens import find_mark_ids, find_mask_id
    from tierproof.analysis.examples.given_examples import collect_examples
    from tierproof.api.analysis.attribution_view import AttributionView
    from tierproof.api.analysis.open_subject import open_subject
    from tierproof.core.time_limit import limit_time

    options = replace(options, special=find_mark_ids(tokenizer), mask_token=find_mask_id(tokenizer))
    given = collect_examples(examples, tokenizer)
    with (
        open_progress(progress) as show,
        open_subject(model, given, spec=spec, seed=options.seed) as opened,
        limit_time(ends_s),
    ):
        return AttributionView(
            measure_attribution(opened.subject, opened.examples, options, tell=show, keep_interrupted=True)
        )


def _find_end(budget_s: float | None) -> float | None:
    if budget_s is None:
        return None
    if not budget_s > 0:
        raise UsageError(f"budget must be a positive number of seconds, not {budget_s!r}")
    return time.monotonic() + budget_s


def _provide_captum(install: str) -> None:
    """Add captum to the running process where it is lacking and the caller agreed to it.

    Raises:
        UsageError: `install` is neither "auto" nor "never".
        PlanRefused, InstallError: captum cannot be added here; the message says why.
    """
    if install not in ("auto", "never"):
        raise UsageError(f"install={install!r} is not known", hint="Pass install='auto' or install='never'.")
    if install == "never" or is_installed("captum"):
        return
    from tierproof.api.packages.install import install as install_packages

    install_packages(*read_extras().get("tier2", ("captum",)))

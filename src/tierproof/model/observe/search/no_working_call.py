"""Tell why no inputs worked: the fault of the code with its line, or what was learnt of each argument."""

from __future__ import annotations

import re
from dataclasses import replace

from torch import nn

from tierproof.model.call.forward_error import ForwardError
from tierproof.model.call.model_probe import ModelProbe
from tierproof.model.call.solve.lesson import Sizes
from tierproof.model.call.solve.skeleton import write_skeleton
from tierproof.model.observe.search.input_trial import FailedTrial, WorkingCall

_MOST_SHOWN = 6
_MOST_CHARACTERS = 240
_READS_VALUES = (
    "Check the model on the CPU: its forward pass reads values, but parameters on the meta device have none."
)


def explain_failure(
    probe: ModelProbe, failures: list[FailedTrial], *, given: bool, elapsed_s: float | None
) -> ForwardError:
    """The error that ends a search without a result.

    Args:
        given: the user's own inputs were tried, and no others.
        elapsed_s: how long the search took, where its time ran out; None otherwise.
    """
    name = probe.name
    distinct = list({failure.inputs: failure for failure in failures}.values())
    best = max(distinct, key=lambda failure: failure.operations, default=None)
    if best is None:
        return ForwardError(
            f"tierproof found no inputs with which it could call {name}", hint=_write_hint(probe, None)
        )
    if missing := _read_missing(best):
        argument, attribute = missing
        return ForwardError(
            f"tierproof cannot make up a value for `{argument}` of {name}: the forward pass reads its attribute "
            f"`{attribute}`, which tensors do not have\n  in {best.place}: {best.source}",
            hint=f'Pass an object of your own: `inputs=lambda: {{"{argument}": …}}`, or `--inputs FILE.py:NAME` on the '
            "command line.",
        )
    if any("meta tensors" in failure.error for failure in distinct):
        return ForwardError(_list_attempts(probe, distinct, best), hint=_READS_VALUES)
    alike = {(failure.error, failure.place) for failure in distinct}
    if len(alike) == 1 and not best.lessons and best.place and (len(distinct) > 1 or given):
        count = f"the same for {len(distinct)} inputs" if len(distinct) > 1 else "with the given inputs"
        return ForwardError(
            f"the forward pass of {name} raised {best.error}\n  in {best.place}, {count}:\n    {best.source}\n"
            f"{_name_layers(name, best)}",
            hint="Fix that line: the error does not depend on the inputs."
            if not given
            else "Run the model on these inputs without tierproof, and fix the error.",
        )
    message = _list_attempts(probe, distinct, best)
    if elapsed_s is not None:
        message += f"\nThe search stopped after {elapsed_s:.0f} s and {len(distinct)} inputs."
    return ForwardError(message, hint=_write_hint(probe, best))


def explain_slowness(probe: ModelProbe, found: WorkingCall) -> ForwardError:
    """The error for a model that runs, and takes too long for any check."""
    inputs = _shorten(", ".join(argument.describe() for argument in found.plan.arguments))
    return ForwardError(
        f"one forward pass of {probe.name} takes {found.seconds:.0f} s with {inputs}, and the checks run hundreds of "
        "passes",
        hint="Check a smaller configuration of the model, or pass inputs of your own (`inputs=…`): they are run "
        "however long they take.",
    )


def _read_missing(best: FailedTrial) -> tuple[str, str] | None:
    """An argument that was asked for something that tensors lack, and what; None where another thing failed."""
    found = re.search(r"'Tensor' object has no attribute '(\w+)'", best.error)
    if found is None:
        return None
    names = {argument.name for argument in best.plan.arguments}
    asked = re.findall(rf"\b(\w+)(?:[\"']\])?\.{found[1]}\b", best.source)
    return next(((name, found[1]) for name in asked if name in names), None)


def _shorten(inputs: str) -> str:
    """The first few of many inputs."""
    parts = inputs.split(", ")
    return inputs if len(inputs) <= _MOST_CHARACTERS else f"{inputs[:_MOST_CHARACTERS]}… ({len(parts)} parts)"


def _list_attempts(probe: ModelProbe, failures: list[FailedTrial], best: FailedTrial) -> str:
    name = probe.name
    lines = [f"  {_shorten(failure.inputs)}\n      {failure.error}" for failure in failures[:_MOST_SHOWN]]
    if len(failures) > _MOST_SHOWN:
        lines.append(f"  … and {len(failures) - _MOST_SHOWN} more")
    learnt = [f"the forward pass of {name} raised on every input tried:", *lines, _name_layers(name, best)]
    if best.place:
        learnt.append(
            f"The call that ran furthest ({_shorten(best.inputs)}) failed in {best.place}: {best.source}"
        )
    if beyond := _read_beyond(best):
        rows = _name_tables(probe.model, beyond[1])
        learnt.append(f"The largest id that was looked up is {beyond[0]}, but {rows} {beyond[1]} rows.")
    elif best.lessons:
        learnt.append(f"Its error asks for {'; or '.join(str(lesson) for lesson in best.lessons[:3])}.")
    return "\n".join(learnt)


def _read_beyond(best: FailedTrial) -> tuple[int, int] | None:
    """The largest index of a lookup that failed, and the rows of its table; None where another thing failed."""
    if "index out of range in self" not in best.error:
        return None
    pairs = [pair for lesson in best.lessons if isinstance(lesson, Sizes) for pair in lesson.pairs]
    return (pairs[0][0] - 1, pairs[0][1]) if pairs else None


def _name_tables(model: nn.Module, rows: int) -> str:
    """The tables of so many rows, in words."""
    tables = [
        f"`{path}`"
        for path, module in model.named_modules()
        if isinstance(module, nn.Embedding | nn.EmbeddingBag) and module.num_embeddings == rows
    ]
    if len(tables) == 1:
        return f"its table {tables[0]} has"
    return f"its table ({' or '.join(tables[:3])}) has" if tables else "its table has"


def _name_layers(name: str, best: FailedTrial) -> str:
    layers = ", ".join(path or name for path in best.executed[-12:]) or "none"
    return f"Layers executed before the error: {layers}"


def _write_hint(probe: ModelProbe, best: FailedTrial | None) -> str:
    plan = best.plan if best else None
    if best is not None and plan is not None and (beyond := _read_beyond(best)):
        ids = [a for a in plan.arguments if not a.dtype.is_floating_point and a.high == beyond[0] + 1]
        for argument in ids:
            plan = plan.with_argument(replace(argument, high=beyond[1]))
    skeleton = write_skeleton(probe.model, plan)
    return (
        "If these inputs are wrong, pass your own (`inputs=…` in Python, `--inputs FILE.py:NAME` on the command "
        "line), or declare the model with `ModelSpec` (vocab_size, max_length, image_size, features, …). For "
        f"example: {skeleton}"
    )

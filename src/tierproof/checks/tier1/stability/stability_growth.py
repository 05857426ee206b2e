"""Find activations that grow with the length: a recurrence that multiplies its state by more than one."""

from __future__ import annotations

import torch

from tierproof.checks.check import CheckContext
from tierproof.core.finding import Finding, Severity
from tierproof.core.json_value import JsonValue
from tierproof.model.call.call import Call
from tierproof.model.observe.module_watch import watch_modules
from tierproof.model.sizes.value_range import measure_range

CODE = "T1-STAB"
_SHORT, _LONG = 16, 128
# Sums over positions grow like the length, here by 8; what grows a thousandfold multiplies.
_GROWTH = 1e3
# A longer forward than this many elements of the answer is not worth a warning.
_MOST_ELEMENTS = 50_000_000


def judge_growth(context: CheckContext, measurements: dict[str, JsonValue]) -> list[Finding]:
    """Compare the largest activation of every module at two lengths."""
    subject = context.subject
    long = subject.inputs.clip_length(_LONG)
    if not subject.inputs.has_length or long < 4 * _SHORT:
        return []
    try:
        answer = subject.answer(subject.make_call(batch=1, length=_SHORT, seed=context.seed))
        if answer.numel() * long / _SHORT > _MOST_ELEMENTS:
            return []
        ranges = [
            _measure_largest(context, subject.make_call(batch=1, length=length, seed=context.seed))
            for length in (_SHORT, long)
        ]
    except Exception:  # noqa: BLE001 - a length that raises is T1-SHAPE's finding
        return []
    growth = {
        path: (_divide(ranges[1].get(path), short, 0), _divide(ranges[1].get(path), short, 1))
        for path, short in ranges[0].items()
    }
    measurements["largest_growth_with_length"] = max((after for _, after in growth.values()), default=0.0)
    guilty = next((p for p, (before, after) in growth.items() if after > _GROWTH >= before), None)
    if guilty is None:
        return []
    factor = growth[guilty][1]
    return [
        Finding(
            f"{CODE}-016",
            Severity.WARNING,
            f"Activations of `{guilty}` grow with the length: by a factor of {factor:.1e} from {_SHORT} to {long} "
            "positions, as if each step multiplied a state by more than one.",
            where=guilty,
            evidence={"growth": factor, "short_length": _SHORT, "long_length": long},
            hint="Make the state decay: `exp(-softplus(…) * dt)`, a sigmoid gate, or a spectral radius below one.",
        )
    ]


def _divide(long: tuple[float, float] | None, short: tuple[float, float], side: int) -> float:
    return 0.0 if long is None or short[side] <= 0 else long[side] / short[side]


def _measure_largest(context: CheckContext, call: Call) -> dict[str, tuple[float, float]]:
    """The largest magnitude of each module's inputs and outputs; infinite where one is not finite."""
    torch.manual_seed(context.seed)
    with watch_modules(context.subject.model, measure_range) as observations:
        context.subject.forward(call)
    largest: dict[str, tuple[float, float]] = {}
    for item in observations:
        before, after = (r.largest if r.sound else float("inf") for r in (item.before, item.after))
        seen = largest.get(item.path, (0.0, 0.0))
        largest[item.path] = (max(seen[0], before), max(seen[1], after))
    return largest

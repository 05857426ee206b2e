"""T2-CAPACITY's measurements by depth, as its figure draws them: the model's beside its twin's and a reference's."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

from tierproof.checks.measurements.read_value import read_amount, read_records
from tierproof.core.json_value import JsonValue

_NUMBER = re.compile(r"(?:^|\.)(\d+)(?=\.|$)")


@dataclass(frozen=True, slots=True)
class CapacityCurve:
    """One model's figures by depth; the lists of a stream begin with what enters the first block.

    Attributes:
        name: which model it is, in words.
        norms: of the residual stream; empty where there is none, as the others.
        shares: of each block in the stream, one fewer.
        ranks: (number of the layer, effective rank over full rank), a mean over the layer's matrices.
        agreement: with the answer, by the logit lens; None where it was not read.
        alignment: CKA between each two places.
    """

    name: str
    norms: tuple[float, ...] = ()
    shares: tuple[float | None, ...] = ()
    ranks: tuple[tuple[int, float], ...] = ()
    agreement: tuple[float | None, ...] = ()
    alignment: tuple[tuple[float | None, ...], ...] = ()


@dataclass(frozen=True, slots=True)
class CapacityCurves:
    """The curves of the model, and of those beside it.

    Attributes:
        stack: path of the residual stream that is drawn: the one with the logit lens, else the deepest.
        curves: the model's own first.
    """

    stack: str
    curves: tuple[CapacityCurve, ...]

    @classmethod
    def from_document(cls, document: Mapping[str, JsonValue]) -> CapacityCurves:
        """Read what `ModelCapacity.to_dict` wrote; what is no finite amount is left out."""
        own = document.get("own")
        stacks = read_records(own.get("stacks")) if isinstance(own, Mapping) else ()
        drawn = max(stacks, key=_weigh, default={})
        path = str(drawn.get("path", ""))
        reference = str(document.get("reference_name") or "reference")
        names = {"own": "this model", "twin": "freshly initialised", "reference": reference}
        return cls(
            path,
            tuple(
                _read_curve(figures, name, path)
                for key, name in names.items()
                if isinstance(figures := document.get(key), Mapping)
            ),
        )


def _weigh(stack: Mapping[str, JsonValue]) -> tuple[bool, int]:
    states = list(read_records(stack.get("states")))
    return any(state.get("agreement") is not None for state in states), len(states)


def _read_curve(figures: Mapping[str, JsonValue], name: str, path: str) -> CapacityCurve:
    stack = next((each for each in read_records(figures.get("stacks")) if each.get("path") == path), {})
    states = list(read_records(stack.get("states")))
    norms = [read_amount(state.get("norm")) for state in states]
    rows = stack.get("alignment")
    return CapacityCurve(
        name,
        tuple(norm for norm in norms if norm is not None),
        tuple(read_amount(state.get("update")) for state in states[1:]),
        _average_ranks(figures, path),
        tuple(read_amount(state.get("agreement")) for state in states),
        tuple(
            tuple(value if isinstance(value, float | int) else None for value in row)
            for row in (rows if isinstance(rows, list | tuple) else ())
            if isinstance(row, list | tuple)
        ),
    )


def _average_ranks(figures: Mapping[str, JsonValue], path: str) -> tuple[tuple[int, float], ...]:
    """By the layer's number the mean share; weights outside the stack are left out."""
    shares: dict[int, list[float]] = {}
    for weight in read_records(figures.get("weights")):
        name = str(weight.get("name", ""))
        if path and not name.startswith(f"{path}."):
            continue
        number = _NUMBER.search(name[len(path) :])
        rank, full = read_amount(weight.get("effective_rank")), read_amount(weight.get("full_rank"))
        if number is not None and rank is not None and full:
            shares.setdefault(int(number[1]), []).append(rank / full)
    return tuple((number, sum(shares[number]) / len(shares[number])) for number in sorted(shares))

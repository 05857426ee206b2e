"""Searches as pip does, where the order of the search decides which packages are replaced.

uv and pip both find valid answers, but not the same: where a new package does not fit an installed one, the one may
come in an older release or the other be replaced. This is the algorithm of resolvelib 1.0 with the preferences of
pip's provider: backtracking, breadth first, pinned packages first.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace

from packaging.requirements import InvalidRequirement, Requirement

from tierproof.guard.foresee.pip_candidates import (
    Candidate,
    Need,
    PipCandidates,
    SearchEndedError,
    read_needs,
)
from tierproof.guard.resolve.lock import Lock, LockedPackage
from tierproof.guard.resolve.resolve import Resolver

_MOST_ROUNDS = 600
_MOST_QUESTIONS = 150


@dataclass(frozen=True, slots=True)
class _Criterion:
    """What is asked of one key, each with the candidate that asks; and the candidates that were given up."""

    asked: tuple[tuple[Need, Candidate | None], ...]
    tried: tuple[Candidate, ...] = ()

    @property
    def needs(self) -> tuple[Need, ...]:
        return tuple(need for need, _ in self.asked)


@dataclass(slots=True)
class _State:
    mapping: dict[str, Candidate] = field(default_factory=dict)
    criteria: dict[str, _Criterion] = field(default_factory=dict)
    causes: tuple[tuple[Need, Candidate | None], ...] = ()

    def copy(self) -> _State:
        return _State(dict(self.mapping), dict(self.criteria), self.causes)


class _Conflict(Exception):  # noqa: N818 - a step of the search, no error
    def __init__(self, criterion: _Criterion) -> None:
        super().__init__()
        self.criterion = criterion


def search_as_pip(
    lines: Sequence[str],
    lock: Lock,
    preferred: frozenset[str],
    resolver: Resolver,
    *,
    wheels_only: bool,
    until_s: float,
) -> Lock | None:
    """Return the answer that pip's search finds; None where it is not found in time or not at all.

    Args:
        lines: what is asked for, as requirement lines.
        lock: another answer, from which what is known of packages that stay is taken.
        preferred: names whose installed version is kept where it can be.
        resolver: that gave `lock`.
        wheels_only: nothing may be built.
        until_s: seconds of resolving, as the resolver counts them, after which the search ends.

    Raises:
        PlanError: the index cannot be asked.
    """
    try:
        roots = [need for line in lines for need in read_needs(Requirement(line))]
    except InvalidRequirement:
        return None
    candidates = PipCandidates(
        resolver, preferred, wheels_only=wheels_only, most_questions=_MOST_QUESTIONS, until_s=until_s
    )
    try:
        found = _Search(candidates, roots).run()
    except (SearchEndedError, _Conflict):
        return None
    if found is None:
        return None
    kept = {item.name: item for item in lock.packages}
    items = []
    for key, candidate in found.items():
        if key != candidate.name:
            continue
        if candidate.item is not None:
            items.append(candidate.item)
        elif (item := kept.get(key)) is not None and item.version == str(candidate.version):
            items.append(item)
        else:
            items.append(LockedPackage(key, str(candidate.version)))
    return Lock(tuple(sorted(items, key=lambda item: item.name)))


class _Search:
    def __init__(self, candidates: PipCandidates, roots: Sequence[Need]) -> None:
        self._candidates = candidates
        self._roots = sorted(roots, key=lambda need: need.key != need.name)
        self._places: dict[str, int] = {}
        for place, need in enumerate(roots):
            self._places.setdefault(need.key, place)
        self._depths: dict[str, float] = {}
        self._states = [_State()]

    @property
    def _state(self) -> _State:
        return self._states[-1]

    def run(self) -> dict[str, Candidate] | None:
        candidates = self._candidates
        candidates.look_ahead([need] for need in self._roots)
        for need in self._roots:
            self._add(self._state.criteria, need, None)
        self._states.append(self._state.copy())
        for _ in range(_MOST_ROUNDS):
            state = self._state
            open_keys = [key for key in state.criteria if not self._is_settled(key)]
            if not open_keys:
                return self._list_reached()
            settled = set(state.criteria) - set(open_keys)
            key = min(open_keys, key=self._rank)
            causes = self._settle(key)
            if causes:
                asked = tuple(each for criterion in causes for each in criterion.asked)
                jumped = self._jump_back(asked)
                self._state.causes = asked
                if not jumped:
                    return None
            else:
                self._forget({each for each in settled if not self._is_settled(each)})
                self._states.append(self._state.copy())
        return None

    def _add(self, criteria: dict[str, _Criterion], need: Need, parent: Candidate | None) -> None:
        old = criteria.get(need.key, _Criterion(()))
        new = _Criterion((*old.asked, (need, parent)), old.tried)
        if next(self._iterate(new, need.key, criteria), None) is None:
            raise _Conflict(new)
        criteria[need.key] = new

    def _iterate(
        self, criterion: _Criterion, key: str, criteria: dict[str, _Criterion]
    ) -> Iterator[Candidate]:
        return self._candidates.iterate(self._join(criterion, key, criteria), criterion.tried)

    @staticmethod
    def _join(criterion: _Criterion, key: str, criteria: dict[str, _Criterion]) -> tuple[Need, ...]:
        """All that is asked of a key; of one with extras, also what is asked of its name."""
        name = criterion.needs[0].name
        if key == name or name not in criteria:
            return criterion.needs
        return (*(need for need in criteria[name].needs if need.exact is None), *criterion.needs)

    def _settle(self, key: str) -> list[_Criterion]:
        """Give a key its first candidate whose needs can be met; else return what stands in the way of each."""
        state, causes = self._state, []
        for candidate in self._iterate(state.criteria[key], key, state.criteria):
            needs = self._candidates.list_needs(candidate)
            criteria = dict(state.criteria)
            groups: dict[str, list[Need]] = {}
            for need in needs:
                known = criteria[need.key].needs if need.key in criteria else ()
                groups.setdefault(need.key, list(known)).append(need)
            self._candidates.look_ahead(groups.values())
            try:
                for need in needs:
                    self._add(criteria, need, candidate)
            except _Conflict as conflict:
                causes.append(conflict.criterion)
                continue
            state.criteria = criteria
            state.mapping.pop(key, None)
            state.mapping[key] = candidate
            return []
        return causes

    def _is_settled(self, key: str) -> bool:
        """Tell whether a key has a candidate that serves all that is asked of it; nothing may be, by now."""
        pin, needs = self._state.mapping.get(key), self._state.criteria[key].needs
        return not needs or (pin is not None and all(need.is_met_by(pin) for need in needs))

    def _forget(self, keys: set[str]) -> None:
        """What keys that must be settled anew have asked for no longer counts."""
        if keys:
            for key, criterion in self._state.criteria.items():
                asked = tuple(
                    (need, parent)
                    for need, parent in criterion.asked
                    if parent is None or parent.key not in keys
                )
                self._state.criteria[key] = replace(criterion, asked=asked)

    def _jump_back(self, causes: Sequence[tuple[Need, Candidate | None]]) -> bool:
        guilty = {need.key for need, _ in causes} | {parent.key for _, parent in causes if parent is not None}
        states = self._states
        while len(states) >= 3:
            states.pop()
            while True:
                if not states or not states[-1].mapping:
                    return False
                broken = states.pop()
                key, candidate = broken.mapping.popitem()
                if guilty & {need.key for need in self._candidates.list_needs(candidate)}:
                    break
            if not states:
                return False
            tried = [(name, criterion.tried) for name, criterion in broken.criteria.items()]
            states.append(self._state.copy())
            if self._note_tried([*tried, (key, (candidate,))]):
                return True
        return False

    def _note_tried(self, tried: Sequence[tuple[str, tuple[Candidate, ...]]]) -> bool:
        criteria = self._state.criteria
        for key, given_up in tried:
            if not given_up or key not in criteria:
                continue
            old = criteria[key]
            new = replace(old, tried=tuple(dict.fromkeys((*given_up, *old.tried))))
            if new.asked and next(self._iterate(new, key, criteria), None) is None:
                return False
            criteria[key] = new
        return True

    def _rank(self, key: str) -> tuple[bool, bool, bool, float, float, bool, str]:
        asked = self._state.criteria[key].asked
        operators = [bound.operator for need, _ in asked for bound in need.specifier]
        place: float = self._places.get(key, math.inf)
        if place < math.inf:
            depth = 1.0
        else:
            parents = [
                0.0 if parent is None else self._depths.get(parent.key, math.inf) for _, parent in asked
            ]
            depth = min(parents, default=math.inf) + 1
        self._depths[key] = depth
        is_cause = any(key in (need.key, parent.key if parent else "") for need, parent in self._state.causes)
        is_direct = any(need.exact is not None for need, _ in asked)
        is_pinned = any(operator.startswith("==") for operator in operators)
        return not is_direct, not is_pinned, not is_cause, depth, place, not operators, key

    def _list_reached(self) -> dict[str, Candidate]:
        """Return what is connected to what is asked for; what was given up on the way is left behind."""
        mapping, reached = self._state.mapping, {need.key for need in self._roots}
        waiting = list(reached)
        while waiting:
            for need in self._candidates.list_needs(mapping[waiting.pop()]):
                if need.key not in reached and need.key in mapping:
                    reached.add(need.key)
                    waiting.append(need.key)
        return {key: mapping[key] for key in mapping if key in reached}

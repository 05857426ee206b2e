"""What a head does most of all: the position that it gives the largest weight to."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tierproof.analysis.attention.attention_figures import HeadStatistics

# By name: what the head looks at, in words. Where two weights are equal, the first here counts.
ROLES = {
    "induction": "the token after the same token's first place",
    "duplicate": "the first place of the same token",
    "previous": "the position before",
    "diagonal": "its own position",
    "first": "the first position",
    "local": "positions at most two away",
}


def find_role(head: HeadStatistics) -> tuple[str, float]:
    """The role with the largest weight, and that weight; ("first", …) where positions do not correspond.

    `local` contains `previous` and `diagonal`, so it counts only by what it has beyond them.
    """
    scores = {name: getattr(head, name) for name in ROLES}
    if head.local is not None:
        scores["local"] = head.local - (head.previous or 0.0) - (head.diagonal or 0.0)
    known = {name: score for name, score in scores.items() if score is not None}
    name = max(known, key=lambda role: known[role])
    return name, known[name]

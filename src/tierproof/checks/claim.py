"""Errors are claimed by checks and concluded here: no error rests on an assumption."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import TypeAlias

from tierproof.core.finding import Finding, Severity
from tierproof.core.json_value import JsonValue
from tierproof.core.standing import Fact, Standing
from tierproof.model.describe.basis import Basis, find_facts
from tierproof.model.describe.subject import Subject

Ground: TypeAlias = Basis | Fact
_SHOWN = 2


@dataclass(frozen=True, slots=True, kw_only=True)
class Claim(Finding):
    """A finding that would be an error if everything it rests on holds.

    Attributes:
        grounds: what it rests on, as a basis or as a fact of its own.
    """

    grounds: tuple[Ground, ...]


def claim_error(
    code: str,
    message: str,
    where: str = "",
    evidence: Mapping[str, JsonValue] | None = None,
    hint: str = "",
    *,
    rests_on: Ground | tuple[Ground, *tuple[Ground, ...]],
    at_most: Severity = Severity.ERROR,
) -> Finding:
    """Claim an error (a `Claim`, which the runner concludes); this is the only way in which a check can make one.

    Args:
        rests_on: what must hold for it to be an error.
        at_most: a lower severity where the invariant is not exact for this model.
    """
    grounds = rests_on if isinstance(rests_on, tuple) else (rests_on,)
    return Claim(code, at_most, message, where, dict(evidence or {}), hint, grounds=grounds)


def conclude(finding: Finding, subject: Subject) -> Finding:
    """Give a claim its facts; one that rests on an assumption becomes a warning that says how to settle it.

    Raises:
        TypeError: for an error that was not claimed.
    """
    if not isinstance(finding, Claim):
        if finding.severity is Severity.ERROR:
            raise TypeError(
                f"{finding.code} is an error that does not name the facts it rests on; make it with `claim_error`"
            )
        return finding
    facts = _collect_facts(finding, subject)
    assumed = [fact for fact in facts if fact.standing is Standing.ASSUMED]
    plain = Finding(
        finding.code,
        finding.severity,
        finding.message,
        finding.where,
        finding.evidence,
        finding.hint,
        facts,
        finding.follows_from,
    )
    if not assumed or finding.severity is not Severity.ERROR:
        return plain
    return replace(plain, severity=Severity.WARNING, hint=f"{_settle(assumed)} {finding.hint}".strip())


def _collect_facts(claim: Claim, subject: Subject) -> tuple[Fact, ...]:
    facts: list[Fact] = []
    for ground in claim.grounds:
        facts += [ground] if isinstance(ground, Fact) else find_facts(subject, ground)
    return tuple(dict.fromkeys(facts))


def _settle(assumed: list[Fact]) -> str:
    """Name what was assumed, and how to make sure of it."""
    named = "; ".join(f"{fact.name} ({fact.value})" if fact.value else fact.name for fact in assumed[:_SHOWN])
    more = f"; {len(assumed) - _SHOWN} more" if len(assumed) > _SHOWN else ""
    ways = list(dict.fromkeys(fact.settle for fact in assumed if fact.settle))
    settle = f" To confirm or correct it, {', or '.join(ways[:_SHOWN])}." if ways else ""
    return f"This is only a warning, because tierproof had to assume a fact: {named}{more}.{settle}"

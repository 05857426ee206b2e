"""The consents that a user can give, and which plans need them."""

from __future__ import annotations

from dataclasses import dataclass

from tierproof.guard.generations.generation_path_file import find_path_files
from tierproof.guard.judge.plan import Plan, PlanVerdict
from tierproof.guard.judge.plan_refused import PlanRefused
from tierproof.guard.judge.ways import CALL_IN_KERNEL, USE_WORKER, list_ways, spell_consents


@dataclass(frozen=True, slots=True)
class Consent:
    """The consents that the user gave.

    Attributes:
        shadow: other versions may override installed packages that no process has loaded.
        aged: requested packages may be added in a much older release than the latest.
        waive: normalised names of base packages on which bounds may be waived.
        build: names that may be built from source.
        trial: try the imports in a child process first.
    """

    shadow: bool = False
    aged: bool = False
    waive: frozenset[str] = frozenset()
    build: frozenset[str] = frozenset()
    trial: bool = True


def require_consent(plan: Plan, consent: Consent, *, in_process: bool) -> None:
    """Refuse a plan that needs a consent that was not given, or that this kernel cannot carry out.

    Raises:
        PlanRefused: the message gives the reason, the hint what to do.
    """
    hint = ""
    match plan.verdict:
        case PlanVerdict.SHADOW if not consent.shadow:
            hint = f"To agree to this, pass `{spell_consents(plan)}` (or `{_spell_keywords(plan)}`)."
        case PlanVerdict.SHADOW if not in_process and find_path_files().front is None:
            hint = (
                "`tierproof install` cannot do this, because this interpreter has no user site-packages. "
                f"{CALL_IN_KERNEL}."
            )
        case PlanVerdict.WAIVER if not {item.package for item in plan.conflicts} <= consent.waive:
            hint = (
                f"To ignore the version bound, pass {spell_consents(plan)}. The imports are then tried in a "
                "child process first."
            )
        case PlanVerdict.ISOLATED:
            hint = f"Run the code that needs it in a process of its own: {USE_WORKER}."
        case PlanVerdict.INFEASIBLE:
            hint = "Request other versions or other packages."
        case PlanVerdict.UNKNOWN:
            lines = [f"{way.text}  {way.line}" for way in list_ways(plan) if way.line]
            hint = "\n".join(lines) or "Leave out the packages named above."
    if not hint and plan.aged and not consent.aged:
        hint = "To accept the old version, pass `--allow-aged` (or `allow_aged=True`)."
    if hint:
        message = f"nothing was installed (verdict {plan.verdict.value}): {plan.explanation}"
        raise PlanRefused(message, plan=plan, hint=hint)


def _spell_keywords(plan: Plan) -> str:
    """Spell the same consents as keywords of `tp.install`."""
    return ", ".join(["allow_shadow=True", *(["allow_aged=True"] if plan.aged else [])])

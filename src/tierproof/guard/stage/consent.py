"""What a user agrees to, and which plans may be carried out with it."""

from __future__ import annotations

from dataclasses import dataclass

from tierproof.errors import PlanRefused
from tierproof.guard.generations.activation import find_path_files
from tierproof.guard.judge.plan import Plan, PlanVerdict


@dataclass(frozen=True, slots=True)
class Consent:
    """What the user agrees to.

    Attributes:
        shadow: other versions may stand before base packages that nobody has loaded.
        aged: requested packages may come markedly old.
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
    """Refuse a plan that needs a consent which was not given, or that cannot be carried out in this kernel.

    Raises:
        PlanRefused: its message says what is in the way, its hint what to do.
    """
    hint = ""
    match plan.verdict:
        case PlanVerdict.SHADOW if not consent.shadow:
            hint = "If that is what you want: --allow-shadow, or allow_shadow=True."
        case PlanVerdict.SHADOW if not in_process and find_path_files().front is None:
            hint = "From the command line it cannot hold here: use tp.install in the kernel, or tierproof run --with."
        case PlanVerdict.WAIVER if not {item.package for item in plan.conflicts} <= consent.waive:
            options = " ".join(
                f"--waive {name}" for name in sorted({item.package for item in plan.conflicts})
            )
            hint = f"If the bound may be waived: {options}; the imports are tried in a child process first."
        case PlanVerdict.ISOLATED:
            hint = "Run it apart from this kernel: tierproof run --with, or tp.isolated."
        case PlanVerdict.INFEASIBLE:
            hint = "Ask for other versions, or allow a build where the explanation names one."
    if not hint and plan.aged and not consent.aged:
        hint = "If the old version will do: --allow-aged, or allow_aged=True."
    if hint:
        raise PlanRefused(f"{plan.verdict.value}: {plan.explanation}", plan=plan, hint=hint)

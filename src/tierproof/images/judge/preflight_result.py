"""What preflight found, frozen."""

from __future__ import annotations

from dataclasses import dataclass

from tierproof.core.json_value import JsonValue
from tierproof.core.plain_html import show_plainly
from tierproof.guard.foresee.foreseen import Change
from tierproof.guard.judge.plan import PlanVerdict
from tierproof.images.judge.image_answer import ImageAnswer
from tierproof.images.read.found_install import FoundInstall, PreflightTarget, UnreadInstall

FORMAT_VERSION = 1
UNKNOWN = "unknown"
_NAMED = 6


@dataclass(frozen=True, slots=True)
class InstallVerdict:
    """One install of a target, judged; `failed`: it could not be."""

    found: FoundInstall
    answer: ImageAnswer
    failed: bool = False

    @property
    def place(self) -> str:
        """Its place, such as `cell 3, line 2`; empty for requirements from the command line."""
        parts = [f"cell {self.found.cell}"] if self.found.cell else []
        parts += [f"line {self.found.line}"] if self.found.line else []
        return ", ".join(parts)

    def to_dict(self) -> dict[str, JsonValue]:
        """Give it as JSON."""
        return {
            "text": self.found.text,
            "cell": self.found.cell,
            "line": self.found.line,
            "conditional": self.found.conditional,
            "failed": self.failed,
            **self.answer.to_dict(),
        }


@dataclass(frozen=True, slots=True)
class TargetVerdict:
    """A target on one image.

    Attributes:
        target: what was judged.
        image: where.
        installs: each with its answer, in their order.
        notes: facts about the image that could not be read.
    """

    target: PreflightTarget
    image: str
    installs: tuple[InstallVerdict, ...]
    notes: tuple[str, ...] = ()

    @property
    def verdict(self) -> str:
        """The worst verdict of its installs; `unknown` if one of them could not be judged."""
        if any(each.failed for each in self.installs):
            return UNKNOWN
        order = list(PlanVerdict)
        reached = [each.answer.plan.verdict for each in self.installs if each.answer.plan is not None]
        return max(reached, key=order.index, default=PlanVerdict.SATISFIED).value

    @property
    def exit_code(self) -> int:
        """0 = all installs are safe, 1 = at least one is not, 2 = something could not be judged.

        1 takes precedence over lines that could not be read.
        """
        if any(each.failed for each in self.installs):
            return 2
        if not all(each.answer.plan is None or each.answer.plan.ok for each in self.installs):
            return 1
        return 0 if all(each.is_judged for each in self.target.unread) else 2

    @property
    def replaced(self) -> tuple[Change, ...]:
        """What plain pip would replace of the image, over all installs."""
        found = {change.name: change for each in self.installs for change in each.answer.pip.replaced}
        return tuple(found[name] for name in sorted(found))

    def to_dict(self) -> dict[str, JsonValue]:
        """Give it as JSON."""
        return {
            "target": self.target.name,
            "kind": self.target.kind.value,
            "image": self.image,
            "verdict": self.verdict,
            "ok": self.exit_code == 0,
            "installs": [each.to_dict() for each in self.installs],
            "unread": [_describe_unread(each) for each in self.target.unread],
            "replaced_by_pip": [change.to_dict() for change in self.replaced],
            "notes": list(self.notes),
        }

    def to_text(self) -> str:
        """Give it as lines of text."""
        lines = [f"{self.target.name} on {self.image}: {self.verdict}"]
        if not self.installs:
            lines.append("  no install command found")
        for each in self.installs:
            lines += _describe_install(each, alone=len(self.installs) == 1)
        lines += [
            f"  ? {f'cell {each.cell}: ' if each.cell else ''}{each.text}: {each.reason}"
            for each in self.target.unread
        ]
        if self.replaced:
            named = [change.describe() for change in self.replaced[:_NAMED]]
            more = len(self.replaced) - len(named)
            lines.append(f"  plain pip would replace {', '.join(named)}{f' and {more} more' if more else ''}")
        lines += [f"  note: {each}" for each in self.notes]
        return "\n".join(lines)


@dataclass(frozen=True, slots=True)
class Preflight:
    """Every target on every image, by target and then image.

    Attributes:
        results: the verdicts.
        duration_s: wall time in seconds.
    """

    results: tuple[TargetVerdict, ...]
    duration_s: float = 0.0

    @property
    def exit_code(self) -> int:
        """The worst of the results'."""
        return max((each.exit_code for each in self.results), default=0)

    @property
    def ok(self) -> bool:
        """True where everything installs safely everywhere."""
        return self.exit_code == 0

    def to_dict(self) -> dict[str, JsonValue]:
        """Give the `preflight --json` document."""
        return {
            "format_version": FORMAT_VERSION,
            "ok": self.ok,
            "results": [each.to_dict() for each in self.results],
            "duration_s": self.duration_s,
        }

    def to_text(self) -> str:
        """Give all results as text; of many, a table first."""
        texts = [each.to_text() for each in self.results]
        if len(self.results) > 1:
            width = max(len(each.target.name) for each in self.results)
            wide = max(len(each.image) for each in self.results)
            rows = [
                f"{each.target.name:{width}}  {each.image:{wide}}  {each.verdict}" for each in self.results
            ]
            texts = [
                "\n".join(rows),
                *(text for each, text in zip(self.results, texts, strict=True) if each.exit_code),
            ]
        return "\n\n".join(texts)

    def _repr_html_(self) -> str:
        return show_plainly(self.to_text())


def _describe_unread(unread: UnreadInstall) -> JsonValue:
    return {"text": unread.text, "reason": unread.reason, "cell": unread.cell, "line": unread.line}


def _describe_install(verdict: InstallVerdict, *, alone: bool) -> list[str]:
    answer = verdict.answer
    head = f"  {verdict.place}: " if verdict.place else "  "
    state = answer.plan.verdict.value if answer.plan else ("not judged" if verdict.failed else "no plan")
    told = answer.plan.explanation if answer.plan else answer.problem
    named = "" if alone and not verdict.place else f"{verdict.found.text}: {state}"
    condition = " (may not run)" if verdict.found.conditional else ""
    body = " ".join((told or "").split())
    return [f"{head}{named}{condition}", f"    {body}"] if named or condition else [f"{head}{body}"]

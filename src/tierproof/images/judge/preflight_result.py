"""What preflight found, frozen."""

from __future__ import annotations

from dataclasses import dataclass, replace

from tierproof.core.json_value import JsonValue
from tierproof.core.plain_html import show_plainly
from tierproof.core.plain_text import clean_text
from tierproof.guard.commands.gap import Gap, GapReason
from tierproof.guard.foresee.foreseen import Change
from tierproof.guard.judge.explain_plan import name_packages
from tierproof.guard.judge.plan import PlanVerdict
from tierproof.images.judge.image_answer import ImageAnswer
from tierproof.images.read.found_install import FoundInstall, PreflightTarget, TargetKind, UnreadInstall

FORMAT_VERSION = 1
_CAUSES = {
    GapReason.BUILD: "a package that must be built",
    GapReason.CONDA: "a conda command",
    GapReason.SYNC: "a uv project",
    GapReason.SCRIPT: "a script or installer that was not read",
    GapReason.FILE: "a file that could not be read",
    GapReason.TEXT: "a requirement that cannot be parsed",
    GapReason.RUNTIME: "a command that is only known at run time",
    GapReason.PYTHON: "a replacement of Python itself",
    GapReason.FOLDER: "a folder on sys.path that a command writes to",
    GapReason.INDEX: "an index, or the list of an image, that could not be used",
}
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

    def find_gaps(self, as_written: bool) -> tuple[Gap, ...]:
        """Return what was not worked out of it.

        Args:
            as_written: what pip itself would have to work out counts as well.
        """
        gaps = self.answer.plan.gaps if self.answer.plan is not None else ()
        if self.failed and not self.answer.pip.gaps:
            gaps = (Gap(GapReason.INDEX, self.found.text, self.answer.problem.partition("\n")[0]),)
        return tuple(dict.fromkeys((*gaps, *(self.answer.pip.gaps if as_written or self.failed else ()))))

    def to_dict(self) -> dict[str, JsonValue]:
        """Give it as JSON."""
        return {
            "text": self.found.text,
            "cell": self.found.cell,
            "line": self.found.line,
            "conditional": self.found.conditional,
            "skipped": self.found.skipped,
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
    def gaps(self) -> tuple[Gap, ...]:
        """All that was not worked out: in installs, and what could not be read."""
        found = [gap for each in self.installs for gap in each.find_gaps(self.is_as_written)]
        found += [gap for each in self.target.unread if (gap := each.gap) is not None]
        return tuple(dict.fromkeys(found))

    @property
    def is_as_written(self) -> bool:
        """Whether the target holds commands that pip would run as they are."""
        return self.target.kind is TargetKind.NOTEBOOK

    @property
    def judged(self) -> str:
        """The worst verdict of what was judged; empty where nothing was."""
        order = list(PlanVerdict)
        plans = [each.answer.plan for each in self.installs if each.answer.plan is not None]
        reached = [verdict for plan in plans if (verdict := plan.judged_verdict) is not None]
        return max(reached, key=order.index).value if reached else ""

    @property
    def verdict(self) -> str:
        """The worst verdict of its installs; `unknown` if a part of it was not worked out, whatever the rest is."""
        if self.gaps:
            return UNKNOWN
        return self.judged or PlanVerdict.SATISFIED.value

    @property
    def harms(self) -> tuple[Change, ...]:
        """What counts as loaded and the commands as written would replace or remove; none where there are none."""
        if not self.is_as_written:
            return ()
        return tuple(change for each in self.installs for change in each.answer.pip.harms)

    @property
    def exit_code(self) -> int:
        """0 = all installs are safe, 1 = at least one is not, 2 = a part was not worked out.

        A notebook is also 1 where its commands, as written, would replace or remove what counts as loaded.
        """
        if self.gaps:
            return 2
        plans = [each.answer.plan for each in self.installs if each.answer.plan is not None]
        return 0 if all(plan.ok for plan in plans) and not self.harms else 1

    @property
    def replaced(self) -> tuple[Change, ...]:
        """What plain pip would have replaced of the image in the end; what is loaded first."""
        found: dict[str, Change] = {}
        for each in self.installs:
            added = dict(text.split(" ", 1) for text in each.answer.pip.added if " " in text)
            for change in each.answer.pip.replaced:
                first = found.get(change.name)
                found[change.name] = change if first is None else replace(change, installed=first.installed)
            for name in found.keys() & added.keys():  # removed before
                found[name] = replace(found[name], version=added[name])
        changed = (change for change in found.values() if change.version != change.installed)
        return tuple(sorted(changed, key=lambda change: change.rank))

    def to_dict(self) -> dict[str, JsonValue]:
        """Give it as JSON."""
        return {
            "target": self.target.name,
            "kind": self.target.kind.value,
            "image": self.image,
            "verdict": self.verdict,
            "judged": self.judged,
            "ok": self.exit_code == 0,
            "installs": [each.to_dict() for each in self.installs],
            "unread": [_describe_unread(each) for each in self.target.unread],
            "not_worked_out": [gap.to_dict() for gap in self.gaps],
            "replaced_by_pip": [change.to_dict() for change in self.replaced],
            "notes": list(self.notes),
        }

    def to_text(self) -> str:
        """Give it as lines of text."""
        lines = [f"{self.target.name} on {self.image}: {self.verdict}{self._summarise()}"]
        if not self.installs and not self.target.unread:
            lines.append("  no install command found")
        for each in self.installs:
            lines += _describe_install(each, is_title=each.found.text == self.target.name)
            lines += _describe_pip_gaps(each) if self.is_as_written else []
        lines += [
            f"  {'?' if each.gap else '-'} {f'cell {each.cell}: ' if each.cell else ''}{each.text}: {each.reason}"
            + (f" (does not run: {each.skipped})" if each.skipped else "")
            for each in self.target.unread
        ]
        if self.replaced:
            named = [
                change.describe() + (" (loaded)" if change.loaded else "")
                for change in self.replaced[:_NAMED]
            ]
            more = len(self.replaced) - len(named)
            lines.append(f"  plain pip would replace {', '.join(named)}{f' and {more} more' if more else ''}")
        lines += [f"  note: {each}" for each in self.notes]
        return clean_text("\n".join(lines))

    def _summarise(self) -> str:
        """Say in the headline what it rests on: what is not known, or what the commands as written would harm."""
        if self.gaps:
            causes = ", ".join(dict.fromkeys(_CAUSES[gap.cause] for gap in self.gaps))
            rest = f"; everything else: {self.judged}" if self.judged else ""
            return f", because of {causes}{rest}"
        if self.harms and self.judged in (PlanVerdict.SATISFIED, PlanVerdict.ADDITIVE):
            names = name_packages([change.name for change in self.harms])
            return f" with tierproof. Plain pip would change {names}, which the image's kernel has loaded"
        return ""


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
                *texts,
            ]
        return clean_text("\n\n".join(texts))

    def _repr_html_(self) -> str:
        return show_plainly(self.to_text())


def _describe_unread(unread: UnreadInstall) -> JsonValue:
    return {
        "text": unread.text,
        "reason": unread.reason,
        "cell": unread.cell,
        "line": unread.line,
        "cause": unread.cause.value,
        "remark": unread.gap is None,
    }


def _describe_install(verdict: InstallVerdict, *, is_title: bool) -> list[str]:
    answer = verdict.answer
    head = f"  {verdict.place}: " if verdict.place else "  "
    if verdict.found.skipped:
        return [f"{head}{verdict.found.text}: does not run ({verdict.found.skipped})"]
    state = answer.plan.verdict.value if answer.plan else ("not judged" if verdict.failed else "no plan")
    told = answer.plan.explanation if answer.plan else answer.problem
    named = "" if is_title else f"{verdict.found.text}: {state}"
    condition = " (may not run)" if verdict.found.conditional else ""
    body = " ".join((told or "").split())
    return [f"{head}{named}{condition}", f"    {body}"] if named or condition else [f"{head}{body}"]


def _describe_pip_gaps(verdict: InstallVerdict) -> list[str]:
    """Say what plain pip would have to work out where the plan needs nothing of it."""
    plan = verdict.answer.plan
    if plan is None or verdict.failed:
        return []
    told = {gap.what for gap in plan.gaps}
    untold = [gap for gap in verdict.answer.pip.gaps if gap.what not in told]
    built = [gap.what for gap in untold if gap.cause is GapReason.BUILD and gap.name]
    lines = [f"{gap.describe()}." for gap in untold if gap.what not in built]
    if built:
        more = f" and {len(built) - _NAMED} more" if len(built) > _NAMED else ""
        named = f"{', '.join(built[:_NAMED])}{more}"
        lines.insert(0, f"plain pip would build {named} from source; what is built may require more.")
    return [f"    Not worked out: {' '.join(line.split())}" for line in lines]
